"""The network that finds glasses' rims: drawn glasses on the bands over people's eyes, and its training."""
