"""Profiles: a person's own skin maps, how the person is recognised, and what both were learned from."""
