"""Runs ONNX models, in the scoring process and in a serving process that answers live calls itself."""
