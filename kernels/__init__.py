"""Numba kernels of the CPU lane; readable twins of the GPU kernels to come."""
