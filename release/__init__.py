"""What is released, and how it is built: `python -m release` writes it into a folder."""
