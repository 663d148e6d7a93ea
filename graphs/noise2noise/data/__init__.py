"""What a training sees: sources of noisy pairs, and noise made to order."""
