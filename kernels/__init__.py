"""Kernels: CUDA (*.cu) with their launchers and devices, cpu/ for the CPU lane, reference/ for tests."""
