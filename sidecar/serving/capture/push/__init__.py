"""What clients push themselves: TrafficService."""
