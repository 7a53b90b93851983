"""What people run, beside the two processes."""
