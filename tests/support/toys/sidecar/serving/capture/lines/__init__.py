"""A toy capture, which a test adds."""
