"""The web side: a WebRTC peer, WHIP and WHEP, the control panel and its interface, metrics."""
