"""What crosses the border of a process: frames of the pipe, rankings as messages, the V2 protocol."""
