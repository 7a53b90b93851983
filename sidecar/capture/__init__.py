"""Traffic in: the relaying proxy that reads along, the sampler with its exact accounting, the V2 codec.

Nothing in here may keep a user's request waiting.
"""
