"""Wrappers of an encoder that make it variational, quantized, dropped out or denoising."""
