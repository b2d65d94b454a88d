"""Training of the network that sees what lies over a face."""
