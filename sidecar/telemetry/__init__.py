"""Logs and traces. No payload appears in them."""
