"""The newest ranking of every endpoint, and what it was before."""
