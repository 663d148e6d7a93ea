"""CUDA: a program's run as one graph, and kernels written in Triton."""
