"""What was learned on benchmark domains: none of it from the domain that a ranking is judged on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from sidecar.estimation.accuracy.error_model import FITTED, ErrorModel


@dataclass(frozen=True, slots=True)
class Learned:
    """How votes are weighed, and how far their consensus is off.

    Attributes:
        falloff: how fast votes lose weight from the nearest source to the farthest, see `nearness`.
        errors: what consensus gets wrong.
    """

    falloff: float
    errors: ErrorModel

    def widened(self, factor: float) -> Learned:
        """The same with larger errors."""
        return replace(self, errors=self.errors.widened(factor))


# By `python -m benchmarks.selection` on all its workloads but the control; see benchmarks/README.md.
LEARNED: Final = Learned(falloff=1.0, errors=FITTED)
