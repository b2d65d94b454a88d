"""TFLite files read and written again as ONNX: the operators that MediaPipe's face networks use."""
