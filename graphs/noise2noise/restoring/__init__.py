"""Denoising of pictures: choosing the method, working in tiles, from files to files."""

from graphs.noise2noise.restoring.restorer import Restorer

__all__ = ["Restorer"]
