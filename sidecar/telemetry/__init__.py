"""Logs and traces. Payloads appear in neither."""
