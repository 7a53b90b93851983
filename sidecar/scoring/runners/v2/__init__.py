"""A candidate behind a V2 server."""
