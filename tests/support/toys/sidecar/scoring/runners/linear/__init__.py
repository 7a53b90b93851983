"""A toy runner, which a test adds."""
