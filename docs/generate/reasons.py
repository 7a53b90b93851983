"""The page of drop and reject reasons, from the tables that the processes count by."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from docs.generate.markdown import code, table
from sidecar.wire.reasons import DropReason, Reason, RejectReason

_HEAD: Final = """# Reasons for lost requests

A request that does not become items of the window is counted with a reason. An endpoint counts every request
once, as sampled, skipped or dropped.

"""
_DROPPED: Final = """## Dropped requests

The sampler wanted the request, and capture could not keep it. `pilotfish_requests_dropped_total` counts it.

"""
_REJECTED: Final = """
## Rejected requests

The request was sampled, and scoring could not make items of it. `pilotfish_requests_rejected_total` counts
it.

"""


def page() -> str:
    """The whole page."""
    return _HEAD + _DROPPED + _rows(DropReason) + _REJECTED + _rows(RejectReason)


def _rows(reasons: Iterable[Reason]) -> str:
    rows = ((code(reason), reason.meaning, reason.advice) for reason in reasons)
    return table(("reason", "what happened", "what to do"), rows)
