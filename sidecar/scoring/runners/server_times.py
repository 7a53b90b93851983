"""What a model server says that requests take there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerTimes:
    """What requests of anybody took at the server between two readings of its statistics, on average.

    Attributes:
        requests: that were answered in between.
        queue_s: waiting for the model.
        compute_s: input, inference and output.
    """

    requests: int
    queue_s: float
    compute_s: float
