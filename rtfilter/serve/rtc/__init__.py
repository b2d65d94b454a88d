"""aiortc at low delay: jitter buffers, decode queues, encoders and tracks, and how they are installed."""
