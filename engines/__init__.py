"""Networks as ONNX files: specification, build and runtimes (the GPU lane fills this)."""
