"""Expression ratio maps: what an expression does to the light of skin, learned from footage."""
