"""The native backend: a program's loops as C, written for its exact shapes.

Each family of nodes has an emitter, which writes the C code of one step: ``elementwise``, ``sums``,
``taps`` (convolutions and their gradients), ``winograd`` and ``depthwise`` (the same, otherwise),
``phase_weight``, ``pooling`` and ``movement``; ``emitters`` lists them. They write it with what is
in ``code`` and use the vector functions of ``headers``. ``program`` puts the steps of a plan
together, with copies of feeds in and results out (``copying``); ``toolchain`` compiles them with
the system's compiler, caches the result, and runs it on several threads. The code uses the
compiler's vector types, so the same source serves AVX-512, AVX2, SSE2 and NEON.
"""
