"""What a caller prefers: the objectives that count, what they are worth, the bounds that must hold."""
