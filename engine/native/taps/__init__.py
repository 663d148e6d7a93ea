"""Convolutions and all that is made of them, as sums of taps; see ``geometry``."""
