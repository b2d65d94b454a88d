"""Glass to glass over WebRTC, measured through the pixels: cameras, clients, servers and figures."""
