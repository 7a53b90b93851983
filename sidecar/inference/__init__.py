"""Runs an ONNX model: the session, its inputs, its threads. Both processes may need one."""
