"""The scoring process: decodes sampled requests, keeps the windows, runs candidates, makes rankings.

The serving process starts this process (`serving.link`) and talks to it over two pipes (`wire.frames`). A
crash, a hang or a shortage of memory here never touches a user's request.
"""
