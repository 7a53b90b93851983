"""Source profiles: built offline from training data, written to and read from one file."""
