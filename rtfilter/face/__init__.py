"""The 3D morphable model: pure arrays, no device, no I/O beyond its own asset."""
