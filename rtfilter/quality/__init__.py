"""Measures of filtered clips against their originals."""
