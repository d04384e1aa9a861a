"""The demonstration: the same autoencoder trained plain and with ACAI, side by side."""
