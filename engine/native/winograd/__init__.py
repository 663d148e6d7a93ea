"""Sums of taps by Winograd's blocks of 2x2 results: fewer products, for sums and differences.

``blocks`` says what can be computed so and how it is cut, ``squares`` and ``products`` write the
halves of the work on a chunk of them (``work``), ``convolution`` and ``weight_gradient`` the steps.
"""
