"""The class probabilities of all candidates, one candidate at a time: no array holds them all.

Twenty candidates, 4,096 items and 1,000 classes are 655 MB in double precision, so nothing here stacks them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from sidecar.core.tensors import Array, Floats

# Up to here answers are given in double precision, and small exact examples stay exact: 20 candidates and
# 4,096 items are 42 MB. Beyond it they are given in the single precision that they are kept in, and no round
# copies them all: rounding a probability by 6e-8 changes no measure's fourth digit.
FEW_CLASSES: Final = 64


def share_type(classes: int) -> npt.DTypeLike:
    """The precision that probabilities over this many classes are given in."""
    return np.float64 if classes <= FEW_CLASSES else np.float32


class Stack(Protocol):
    """What can be read candidate by candidate: an array [C, n, K], or `ClassShares`."""

    @property
    def shape(self) -> tuple[Any, ...]:
        """Candidates, items, classes."""

    def __getitem__(self, candidate: int, /) -> Any:  # noqa: ANN401 - an array of either kind
        """One candidate's, [n, K]."""

    def __len__(self) -> int:
        """Candidates."""

    def __iter__(self) -> Iterator[Any]:
        """Each candidate's in turn."""


class CandidateShares(Protocol):
    """One candidate's class probabilities, wherever they are kept."""

    def read(self) -> Array:
        """Gives them, [n, K], rows sum to 1; not to be written to."""

    def where(self, items: Array) -> CandidateShares:
        """The same of the items at some places [m], in their order."""


@dataclass(frozen=True, slots=True)
class KeptShares:
    """Probabilities that are an array, [n, K]."""

    values: Array

    def read(self) -> Array:
        """Gives the array itself."""
        return self.values

    def where(self, items: Array) -> KeptShares:
        """The same of the items at some places; a copy."""
        return KeptShares(self.values[items])


@dataclass(frozen=True, slots=True)
class VotedShares:
    """Probabilities 0 and 1 of a candidate that answers a class only.

    Attributes:
        votes: places of the answered classes, 0 to K - 1, int64 [n].
        classes: K.
    """

    votes: Array
    classes: int

    def read(self) -> Array:
        """Makes the rows anew: one place a row holds 1."""
        shares = np.zeros((len(self.votes), self.classes), dtype=share_type(self.classes))
        shares[np.arange(len(self.votes)), self.votes] = 1
        return shares

    def where(self, items: Array) -> VotedShares:
        """The same of the items at some places."""
        return VotedShares(self.votes[items], self.classes)


class ClassShares:
    """A sequence of one array [n, K] a candidate, each made when it is asked for.

    Parts of it, by item or by candidate, are views: they copy no probabilities of many classes.
    """

    def __init__(self, candidates: Sequence[CandidateShares], *, items: int, classes: int) -> None:
        """Takes the candidates.

        Args:
            candidates: C of them; each gives [items, classes].
            items: n.
            classes: K.
        """
        self._candidates = tuple(candidates)
        self.shape = (len(self._candidates), items, classes)

    @classmethod
    def of_array(cls, stacked: Stack) -> ClassShares:
        """Takes an array [C, n, K] apart; `ClassShares` stays as it is."""
        if isinstance(stacked, cls):
            return stacked
        candidates, items, classes = stacked.shape
        return cls([KeptShares(stacked[one]) for one in range(candidates)], items=items, classes=classes)

    def __len__(self) -> int:
        """Candidates."""
        return len(self._candidates)

    def __getitem__(self, candidate: int, /) -> Array:
        """One candidate's probabilities [n, K]; not to be written to.

        Raises:
            IndexError: there is no such candidate.
        """
        return self._candidates[candidate].read()

    def __iter__(self) -> Iterator[Array]:
        """Each candidate's, [n, K]; one at a time is in memory."""
        return (one.read() for one in self._candidates)

    def __array__(self, *_: object, **__: object) -> Array:
        """Refuses: numpy would stack all candidates.

        Raises:
            TypeError: always.
        """
        raise TypeError("the probabilities of all candidates make no array: read one candidate's at a time")

    @cached_property
    def _highest(self) -> tuple[Array, Floats]:
        """Place and size of each row's highest probability, both [C, n]."""
        votes = np.zeros(self.shape[:2], dtype=np.int64)
        highest = np.zeros(self.shape[:2])
        rows = np.arange(self.shape[1])
        for candidate, shares in enumerate(self):
            votes[candidate] = shares.argmax(axis=1)
            highest[candidate] = shares[rows, votes[candidate]]
        return votes, highest

    @property
    def votes(self) -> Array:
        """Each candidate's most probable class for each item, int64 [C, n]."""
        return self._highest[0]

    @property
    def highest(self) -> Floats:
        """The probability of that class, float64 [C, n]."""
        return self._highest[1]

    def where(self, items: Array) -> ClassShares:
        """The same of some of the items: which, bool [n], or their places in the order wanted."""
        places = np.flatnonzero(items) if np.asarray(items).dtype == bool else np.asarray(items)
        part = ClassShares(
            [one.where(places) for one in self._candidates], items=len(places), classes=self.shape[2]
        )
        return self._passed_on(part, (slice(None), places))

    def of(self, candidates: Sequence[int]) -> ClassShares:
        """The same of some candidates, by number, in the order given."""
        part = ClassShares(
            [self._candidates[index] for index in candidates], items=self.shape[1], classes=self.shape[2]
        )
        return self._passed_on(part, (list(candidates),))

    def held(self) -> ClassShares:
        """The same, with every candidate's array made once and kept: meant for a single candidate."""
        return self._passed_on(
            ClassShares([KeptShares(one) for one in self], items=self.shape[1], classes=self.shape[2]), ()
        )

    def _passed_on(self, part: ClassShares, places: tuple[Any, ...]) -> ClassShares:
        """Gives a part the votes that are known already, so that it need not read them anew."""
        if "_highest" in self.__dict__ and self.shape[2]:
            votes, highest = self._highest
            part.__dict__["_highest"] = votes[places], highest[places]
        return part
