"""Pixels to landmarks."""
