"""Traffic in: the relaying proxy that reads along, the sampler with its exact accounting.

Nothing in here may keep a user's request waiting.
"""
