"""The files that outlive a process: source profiles and performance models."""
