"""The CPU renderer: displacement and frame to frame."""
