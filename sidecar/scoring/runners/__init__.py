"""Candidates answer sampled items, inside a budget: what runs them, and what holds them back."""
