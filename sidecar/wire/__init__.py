"""What crosses a process: the frames of the pipe, rankings as messages, the V2 protocol."""
