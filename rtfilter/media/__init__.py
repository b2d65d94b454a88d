"""Containers and decoded pictures: what sources, sinks and `Frame` share."""
