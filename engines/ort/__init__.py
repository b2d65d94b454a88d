"""Networks on ONNX Runtime: on the processor and on CUDA."""
