"""The times of requests that a model server reports."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerTimes:
    """Mean times of all clients' requests between two readings of the server's statistics.

    Attributes:
        requests: requests that the server answered between the readings.
        queue_s: mean seconds that a request waited for the model.
        compute_s: mean seconds of input, inference and output.
    """

    requests: int
    queue_s: float
    compute_s: float
