"""A candidate that onnxruntime runs in the scoring process; `sidecar.inference.onnx` is what runs it."""
