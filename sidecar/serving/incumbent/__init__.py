"""The incumbent where it answers live calls in this process: for captures that have no upstream."""
