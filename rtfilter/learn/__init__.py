"""Training and asset building. Nothing in the product imports it."""
