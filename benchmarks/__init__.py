"""Benchmarks of speed and quality against rival libraries; most modules are commands."""
