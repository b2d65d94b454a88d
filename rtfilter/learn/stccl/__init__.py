"""Spatial-temporal coherent correlation: a learned measure of whether two faces say the same thing."""
