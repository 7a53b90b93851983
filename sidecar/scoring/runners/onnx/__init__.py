"""Runs a candidate with onnxruntime in the scoring process, by means of `sidecar.inference.onnx`."""
