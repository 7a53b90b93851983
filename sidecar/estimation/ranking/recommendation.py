"""Which candidate is recommended: it stays until the evidence against it is enough, however often one looks.

Each challenger bets that it does better than the recommended candidate on the next item. Bets are fair at
best while it does not, so that a fortune is evidence. In round k new capital is staked, so that a
challenger which gets better late need not first win back what it lost before.

What is guaranteed: call a change false where the challenger's expected difference, given all earlier items,
was never above 0 since the replaced candidate was recommended. With probability 1 - level a
`Recommendation` never makes a false change: over all rounds, challengers and changes together, however
challengers depend on each other, come and go (but not because of what the round shows).

What is assumed and not checked: that the mean of an item's difference, given the items before it, is what
counts. Items that share an error (of one burst, of one request) must be given as one item with their mean
difference. A bias of whoever judges the items is a true difference to this test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Floats

# Shares of the capital that are put on an item. The best share is the gap over the differences' mean square;
# within a factor of 1.4 of it the capital's logarithm grows at least 0.83 times as fast. The smallest share
# gains from gaps above 1/64 of that mean square (.003 where one item in five is answered differently);
# smaller gaps are not worth a change. Half the capital at most, so that no item ruins a challenger.
BETS: Final[Floats] = np.array([1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32])
_NOTHING: Final[Floats] = np.full(len(BETS), -np.inf)


@dataclass(frozen=True, slots=True)
class Change:
    """Another candidate is recommended from now on."""

    previous: str
    candidate: str
    reason: str


class Recommendation:
    """The recommended candidate, and what each challenger has gathered against it.

    Attributes:
        candidate: name of the recommended candidate.
    """

    def __init__(self, candidate: str, *, level: float) -> None:
        """Starts with a candidate that needs no evidence, say the incumbent.

        Args:
            candidate: its name.
            level: the probability that any false change is ever made is at most this.

        Raises:
            InvalidError: `level` is not between 0 and 1.
        """
        if not 0 < level < 1:
            raise InvalidError(f"recommendation: level {level} is no probability; give one between 0 and 1")
        self.candidate = candidate
        self._level = level
        self._needed = -float(np.log(level))
        self._rounds = 0
        self._log_capital: dict[str, Floats] = {}

    def update(self, names: Sequence[str], differences: Floats, eligible: Sequence[str]) -> Change | None:
        """Takes one round's new items; changes the recommendation where the evidence is enough.

        Challengers that are not named keep what they have.

        Args:
            names: names of C different challengers that have a value on these items.
            differences: value of each on each item minus the recommended candidate's, within [-1, 1], [C, n];
                an item is given once. n may be 0.
            eligible: challengers that may be changed to, best first; the first with enough evidence is taken.

        Raises:
            InvalidError: names and differences do not go together.
        """
        self._check(names, differences)
        if differences.size:
            self._rounds += 1
            before = np.stack([self._log_capital.get(name, _NOTHING) for name in names])
            after = bet(before, differences, log_stake(self._rounds, len(names)))
            # What goes beyond enough is not kept: it would outlive the traffic that it came from.
            self._log_capital.update(zip(names, np.minimum(after, self._needed), strict=True))
        evidence = self.evidence()
        enough = next((name for name in eligible if evidence.get(name, 0.0) >= 1), None)
        if enough is None:
            return None
        return self.change_to(
            enough, f"does better than {self.candidate} on the same items, at level {self._level:g}"
        )

    def evidence(self) -> dict[str, float]:
        """What each challenger has of the evidence that a change needs, 0 to 1 on a logarithmic scale."""
        return {
            name: float(np.clip(log_evidence(capital) / self._needed, 0, 1))
            for name, capital in self._log_capital.items()
        }

    def change_to(self, candidate: str, reason: str) -> Change:
        """Recommends a candidate whatever the evidence; all gather theirs anew.

        For a recommended candidate that is gone, or (with its own name) whose model was replaced. Costs
        later tests nothing.
        """
        change = Change(self.candidate, candidate, reason)
        self.candidate = candidate
        self._log_capital = {}
        return change

    def forget(self, challenger: str) -> None:
        """Drops what a challenger has gathered: it is gone for good, or its model was replaced."""
        self._log_capital.pop(challenger, None)

    def _check(self, names: Sequence[str], differences: Floats) -> None:
        of = f"recommendation of {self.candidate}"
        if self.candidate in names or len(set(names)) < len(names):
            raise InvalidError(f"{of}: challengers {list(names)}; name each other candidate once")
        if differences.ndim != 2 or len(differences) != len(names):  # noqa: PLR2004 - challengers, items
            raise InvalidError(
                f"{of}: differences of shape {differences.shape} for {len(names)} challengers; "
                "give one row for each, one column for each item"
            )
        for name, row in zip(names, differences, strict=True):
            if not (np.abs(row) <= 1).all():
                raise InvalidError(
                    f"{of}: a difference of {name} is NaN or outside [-1, 1]; scale values into a range of 1"
                )


def log_stake(round_number: int, challengers: int) -> float:
    """Logarithm of what each bet of each challenger gets in a round; all rounds together share 1.

    After round k, 1 / (1 + log2(k + 1)) is left. Shares fall hardly faster than they must to have a sum, so
    that a late start pays little: 11 nats in round 1,000, 17 in round 121,000, a week of rounds of 5 s.

    Args:
        round_number: from 1.
        challengers: challengers that bet in this round.
    """
    before, after = 1 / (1 + np.log2([round_number, round_number + 1]))
    return float(np.log((before - after) / (challengers * len(BETS))))


def bet(log_capital: Floats, differences: Floats, log_stake: float) -> Floats:
    """Stakes new capital and bets all of it on each item of a round.

    This is the sum over all rounds k of what was staked in round k times the product of 1 + bet x difference
    over the items since: an exact mixture over starts that needs no memory of them. While no expected
    difference is above 0, capital and what is not yet staked are together a supermartingale.

    Args:
        log_capital: before the round, by `BETS` [..., bets]; -inf for none.
        differences: within [-1, 1] [..., n].
        log_stake: as `log_stake` gives it.

    Returns:
        the logarithm of the capital after the round [..., bets].

    References:
        Waudby-Smith & Ramdas 2024, betting and its mixtures; Shin, Ramdas & Rinaldo 2024, mixtures over
        starts (there without a bound on the sum of stakes); Vovk & Wang 2021, e-values that are added.
    """
    gains = np.stack([np.log1p(share * differences).sum(axis=-1) for share in BETS], axis=-1)
    return np.asarray(np.logaddexp(log_capital, log_stake) + gains)


def log_evidence(log_capital: Floats) -> Floats:
    """Logarithm of a challenger's whole capital; it is enough at -log(level).

    Args:
        log_capital: logarithm of the capital of each bet of `BETS` [..., bets].

    Returns:
        shape [...].
    """
    return np.asarray(np.logaddexp.reduce(log_capital, axis=-1))
