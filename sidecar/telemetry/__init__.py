"""Metrics and logs. Payloads appear in neither."""
