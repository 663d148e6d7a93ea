"""The native backend: a program's loops as C, written for its exact shapes.

Each family of nodes has an emitter, which writes the C of one step (``elementwise``, ``taps``,
``winograd``, ``reduction``, ``phase_weight``, ``pooling``, ``movement``), and ``transfer`` what
copies feeds in and results out; ``source`` puts the steps together, ``library`` compiles them with
the system's compiler and keeps what it made, ``thread_pool`` runs them on several threads. The
vectors are the compiler's own, so one text serves AVX-512, AVX2, SSE2 and NEON (``prelude.h``,
``winograd.h``).
"""
