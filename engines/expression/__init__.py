"""The expression graph: fit, edit and displacement of `rtfilter.face` as one ONNX network."""
