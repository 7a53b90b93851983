"""Holds the frozen types that every room shares; imports numpy and the standard library only."""
