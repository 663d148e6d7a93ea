"""Figures and HTML pages that show the results of a training."""
