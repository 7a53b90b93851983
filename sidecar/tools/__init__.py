"""The command line and all other programs that people run, beside the two processes of the service."""
