"""What a measure costs, as a function of the round's sizes, and when it is too much for a round.

The texts that people read follow from the function. No clock: equal sizes decide equally everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sidecar.core.evidence import Evidence
from sidecar.core.profile import BINS, FOURIER_FREQUENCIES, MAX_WORDS

# Processor time that a round may take with the default measures, on one core.
ROUND_S: Final = 3.0
# What one default measure may take of it. About eight of them look at every probability, most for a tenth of
# this; a measure beyond it would take as long as all the others together.
SHARE: Final = 0.2
_NANO: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor time as a sum of products of sizes.

    Attributes:
        terms: nanoseconds on one core of each step, by how many steps there are: names of `sizes` and numbers
            with spaces between them, `K^2` for a square. Measured on an x86-64 core of 2 to 3 GHz.
    """

    terms: Mapping[str, float]

    def __str__(self) -> str:
        """The number of steps, as people read it: `C n K^2 + C K^3`."""
        return " + ".join(self.terms)

    def seconds(self, of: Mapping[str, int]) -> float:
        """Takes the processor time at some sizes.

        Args:
            of: sizes by name, as `sizes` gives them.
        """
        return sum(nanoseconds * _steps(term, of) for term, nanoseconds in self.terms.items()) * _NANO

    def excess(self, of: Mapping[str, int]) -> str:
        """Tells why a measure is left out of a round of these sizes; empty where it fits."""
        share = self.seconds(of) / ROUND_S
        if share <= SHARE:
            return ""
        return (
            f"not computed: it would take about {share:.0%} of the {ROUND_S:g} s of processor time that a "
            "round may take; to have it, name it in ranking.measures"
        )


def sizes(evidence: Evidence) -> dict[str, int]:
    """The sizes that costs are functions of, by the names that they have in `Cost.terms`."""
    candidates, items, classes = evidence.probabilities.shape
    known = [profile for profile in evidence.profiles if profile is not None]
    validations = [profile.validation for profile in known if profile.validation is not None]
    return {
        "C": candidates,
        "n": items,
        "K": classes,
        "d": max((len(profile.low) for profile in known), default=0),
        "S": max((len(profile.pooled) for profile in known), default=0),
        "T": max((len(target.pooled) for target in evidence.targets if target is not None), default=0),
        "V": max((validation.rows for validation in validations), default=0),
        "bins": BINS,
        "waves": 2 * FOURIER_FREQUENCIES,
        "words": MAX_WORDS,
    }


def _steps(term: str, of: Mapping[str, int]) -> float:
    steps = 1.0
    for factor in term.split():
        name, _, power = factor.partition("^")
        steps *= float(of.get(name, name)) ** int(power or 1)
    return steps
