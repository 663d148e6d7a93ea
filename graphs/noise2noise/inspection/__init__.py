"""What there is to know of noisy pictures before a network is trained on them."""
