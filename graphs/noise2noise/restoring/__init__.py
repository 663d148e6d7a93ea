"""Noisy pictures made clean: which method, whole or in tiles, file to file."""

from graphs.noise2noise.restoring.restorer import Restorer

__all__ = ["Restorer"]
