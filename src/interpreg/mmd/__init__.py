"""The MMD engine: what is summed, how it is swept, what the sums estimate."""
