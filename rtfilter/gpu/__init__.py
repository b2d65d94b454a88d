"""The CUDA lane: streams on a device, their graph, and pictures in and out."""
