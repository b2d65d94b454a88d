"""Training and building of assets; imports MediaPipe. The product does not import it."""
