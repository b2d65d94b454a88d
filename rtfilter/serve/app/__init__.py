"""The server: handlers, sessions, admission, metrics and the panel."""
