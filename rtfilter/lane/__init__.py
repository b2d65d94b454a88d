"""Where a frame is computed: the CPU lane, the CUDA lane, and which of them it is."""
