"""Candidates answer sampled items, inside a budget. The only room that runs models."""
