"""The native backend: a program's loops as C, written for its exact shapes.

Each family of nodes has an emitter, which writes the C code of one step (``elementwise``, ``taps``,
``depthwise``, ``winograd``, ``reduction``, ``axis_sums``, ``row_sums``, ``phase_weight``,
``pooling``, ``movement``), and ``transfer`` writes the copies of feeds in and results out.
``source`` assembles the steps, ``library`` compiles them with the system's compiler and caches the
result, and ``thread_pool`` runs them on several threads. The code uses the compiler's vector types,
so the same source serves AVX-512, AVX2, SSE2 and NEON (``prelude.h``, ``elementary.h``,
``winograd.h``).
"""
