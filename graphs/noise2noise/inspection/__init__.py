"""Inspection of noisy pictures before a network is trained on them."""
