"""The frozen types that every room shares. Knows numpy and nothing else."""
