"""The mirror target: takes copies of requests that a mesh sends."""
