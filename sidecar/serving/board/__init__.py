"""The newest ranking of every endpoint, and its earlier revisions."""
