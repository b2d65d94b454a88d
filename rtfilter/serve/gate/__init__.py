"""What a server accepts: hosts, tokens, TLS, limits, SDP, ICE candidates and the sockets of media."""
