"""What all unit tests share."""

from __future__ import annotations

from hypothesis import settings

# A busy machine makes an example slow, not wrong; pytest's timeout catches what hangs.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")
