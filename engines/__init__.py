"""Networks as ONNX files: specification, conversion, preparation and runtimes."""
