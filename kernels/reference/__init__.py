"""Readable twins of the CUDA kernels, which tests compare them with."""
