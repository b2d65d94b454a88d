"""The CPU lane: its stages, one after another."""
