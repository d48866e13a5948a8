"""The network at work: photographs, videos, following hands, ONNX."""
