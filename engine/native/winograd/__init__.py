"""Sums of taps by Winograd's blocks of 2x2 results: fewer products for more sums and differences.

``blocks`` decides what can be computed this way and how it is cut, ``squares`` and ``products``
write the two halves of the work on a chunk of blocks (``work``), and ``convolution`` and
``weight_gradient`` write the steps.
"""
