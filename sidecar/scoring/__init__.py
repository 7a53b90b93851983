"""The scoring process: decodes sampled requests, keeps the windows, runs candidates, makes rankings.

The serving process starts it (`serving.link`) and talks to it over two pipes (`wire.frames`); a
crash, a hang or a hog in here never touches a user's request.
"""
