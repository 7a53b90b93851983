"""What the serving process tells of itself: metrics, and notices in its log. Payloads appear in neither."""
