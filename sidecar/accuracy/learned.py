"""What was learned on benchmark domains: none of it from the domain that a ranking is judged on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from sidecar.accuracy.error_model import FITTED, ErrorModel


@dataclass(frozen=True, slots=True)
class Learned:
    """How votes are weighed, how far their consensus is off, and when a ranking is doubted.

    Attributes:
        falloff: how fast votes lose weight from the nearest source to the farthest, see `nearness`.
        errors: what consensus gets wrong.
        resolved: a ranking is doubted whose order promises a lower rank correlation, see `order_doubt`.
    """

    falloff: float
    errors: ErrorModel
    resolved: float

    def widened(self, factor: float) -> Learned:
        """The same with larger errors."""
        return replace(self, errors=self.errors.widened(factor))


# By `python -m benchmarks.selection` on all its workloads but the control; see benchmarks/README.md.
LEARNED: Final = Learned(falloff=1.0, errors=FITTED, resolved=0.46)
