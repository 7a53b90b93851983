"""Performance models judged on public tables of measurements."""
