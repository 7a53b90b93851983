"""The Open Inference Protocol: its codec, and the way to a server that speaks it."""
