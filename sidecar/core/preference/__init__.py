"""Defines a caller's preference: the objectives that count, their weights, and the constraints."""
