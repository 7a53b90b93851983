"""What the serving process tells of itself: the metrics, the notices in its log."""
