"""Networks made ready: MediaPipe's models, ONNX files in the cache, and a runner for the GPU at hand."""
