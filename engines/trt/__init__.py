"""TensorRT: plans and the engines that run them."""
