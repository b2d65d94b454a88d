"""Displacement and frame to frame."""
