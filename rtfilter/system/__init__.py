"""Leaves that know the machine and this installation, and nothing of faces."""
