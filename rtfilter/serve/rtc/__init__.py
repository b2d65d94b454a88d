"""What is changed of aiortc: jitter buffer, encoders, queues and tuning."""
