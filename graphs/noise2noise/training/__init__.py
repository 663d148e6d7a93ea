"""Learning from noisy pictures: how, until when, and what is kept of it."""
