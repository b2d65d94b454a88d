"""Benchmarks: `python -m bench.latency`, `python -m bench.startup`. See README.md here."""
