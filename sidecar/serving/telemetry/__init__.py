"""Metrics of the serving process, and notices in its log. Payloads appear in neither."""
