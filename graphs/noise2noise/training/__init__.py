"""Training on noisy pictures: how, for how long, and what is saved of it."""
