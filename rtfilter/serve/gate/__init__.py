"""What may come in: hosts, tokens, TLS, limits, and the rules for SDP and candidates."""
