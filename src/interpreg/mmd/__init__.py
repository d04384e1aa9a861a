"""The MMD engine: raw sums, the backends that sweep them, the estimators that combine them."""
