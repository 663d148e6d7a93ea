"""Convolutions and everything that is made of them, as sums of taps; see ``geometry``."""
