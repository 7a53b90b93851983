"""The scoring process: decodes sampled requests, keeps the windows, runs candidates, makes rankings.

The serving process starts it (`link`) and talks to it over two pipes (`frames`); a crash, a hang or
a hog in here never touches a user's request.
"""
