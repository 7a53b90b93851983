"""The capture of items that clients push themselves, by TrafficService."""
