"""Displacement and frame to frame, on the processor; the lane that tracks, fits, edits and renders there."""
