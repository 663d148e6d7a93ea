"""Sums and means in C of what elementwise operators compute, by what the threads share.

``shared_terms`` for a number or a row of channels: each thread adds up some of the terms.
``over_axes`` and ``of_rows`` for many results: each thread adds up some of the results, side by
side in a vector where they are contiguous, or else row by row of contiguous terms.
"""
