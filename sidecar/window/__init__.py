"""What is remembered of the traffic, bounded in items and bytes."""
