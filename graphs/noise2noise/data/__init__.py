"""Training data: sources of noisy pairs, and synthetic noise."""
