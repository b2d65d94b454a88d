"""Training and building of assets; imports MediaPipe and torch. The product does not import it."""
