"""Holds the class probabilities of all candidates without an array that contains them all.

For twenty candidates, 4,096 items and 1,000 classes such an array would take 655 MB in double precision.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from sidecar.core.tensors import Array, Floats

# Probabilities over at most this many classes are read in double precision, so that small exact examples stay
# exact: 20 candidates and 4,096 items take 42 MB. Probabilities over more classes are read in the single
# precision that they are stored in, so that no round copies them all: rounding a probability by 6e-8 does not
# change the fourth digit of any measure.
FEW_CLASSES: Final = 64


def share_type(classes: int) -> npt.DTypeLike:
    """Returns the floating-point type that probabilities over this many classes are read in."""
    return np.float64 if classes <= FEW_CLASSES else np.float32


class Stack(Protocol):
    """Class probabilities that can be read candidate by candidate: an array [C, n, K], or `ClassShares`."""

    @property
    def shape(self) -> tuple[Any, ...]:
        """Numbers of candidates, items and classes."""

    def __getitem__(self, candidate: int, /) -> Any:  # noqa: ANN401 - an array of either kind
        """Returns one candidate's probabilities [n, K]."""

    def __len__(self) -> int:
        """Returns the number of candidates."""

    def __iter__(self) -> Iterator[Any]:
        """Yields each candidate's probabilities in turn."""


class CandidateShares(Protocol):
    """One candidate's class probabilities, wherever they are stored."""

    def read(self) -> Array:
        """Returns the probabilities [n, K]; each row sums to 1, and the caller must not write to them."""

    def where(self, items: Array) -> CandidateShares:
        """Returns the probabilities of the items at these indices [m], in that order."""


@dataclass(frozen=True, slots=True)
class KeptShares:
    """Probabilities that are stored as an array [n, K]."""

    values: Array

    def read(self) -> Array:
        """Returns the array itself."""
        return self.values

    def where(self, items: Array) -> KeptShares:
        """Returns a copy of the rows at these indices."""
        return KeptShares(self.values[items])


@dataclass(frozen=True, slots=True)
class VotedShares:
    """Probabilities 0 and 1 of a candidate that answers with a class only.

    Attributes:
        votes: indices of the answered classes, 0 to K - 1, int64 [n].
        classes: number of classes, K.
    """

    votes: Array
    classes: int

    def read(self) -> Array:
        """Makes the rows on every call; each row holds a single 1."""
        shares = np.zeros((len(self.votes), self.classes), dtype=share_type(self.classes))
        shares[np.arange(len(self.votes)), self.votes] = 1
        return shares

    def where(self, items: Array) -> VotedShares:
        """Returns the probabilities of the items at these indices."""
        return VotedShares(self.votes[items], self.classes)


class ClassShares:
    """A sequence with one array [n, K] for each candidate, made when it is read.

    A selection of items or candidates is a view, so that probabilities over many classes are not copied.
    """

    def __init__(self, candidates: Sequence[CandidateShares], *, items: int, classes: int) -> None:
        """Takes the candidates' probabilities.

        Args:
            candidates: the probabilities of each of the C candidates, [items, classes].
            items: number of items, n.
            classes: number of classes, K.
        """
        self._candidates = tuple(candidates)
        self.shape = (len(self._candidates), items, classes)

    @classmethod
    def of_array(cls, stacked: Stack) -> ClassShares:
        """Makes `ClassShares` of an array [C, n, K]; returns a `ClassShares` unchanged."""
        if isinstance(stacked, cls):
            return stacked
        candidates, items, classes = stacked.shape
        shares = [KeptShares(stacked[candidate]) for candidate in range(candidates)]
        return cls(shares, items=items, classes=classes)

    def __len__(self) -> int:
        """Returns the number of candidates."""
        return len(self._candidates)

    def __getitem__(self, candidate: int, /) -> Array:
        """Returns one candidate's probabilities [n, K]; the caller must not write to them.

        Raises:
            IndexError: there is no such candidate.
        """
        return self._candidates[candidate].read()

    def __iter__(self) -> Iterator[Array]:
        """Yields each candidate's probabilities [n, K]; only one array at a time is in memory."""
        return (shares.read() for shares in self._candidates)

    def __array__(self, *_: object, **__: object) -> Array:
        """Refuses to become an array, because numpy would stack all candidates.

        Raises:
            TypeError: always.
        """
        raise TypeError(
            "the probabilities of all candidates must not become one array: read one candidate at a time"
        )

    @cached_property
    def _highest(self) -> tuple[Array, Floats]:
        """Index and value of each row's highest probability, both [C, n]."""
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
        """The probability of each candidate's most probable class, float64 [C, n]."""
        return self._highest[1]

    def where(self, items: Array) -> ClassShares:
        """Returns the probabilities of some items.

        Args:
            items: which items, bool [n], or their indices in the wanted order.
        """
        places = np.flatnonzero(items) if np.asarray(items).dtype == bool else np.asarray(items)
        part = ClassShares(
            [shares.where(places) for shares in self._candidates], items=len(places), classes=self.shape[2]
        )
        return self._passed_on(part, (slice(None), places))

    def of(self, candidates: Sequence[int]) -> ClassShares:
        """Returns the probabilities of the candidates with these indices, in that order."""
        part = ClassShares(
            [self._candidates[index] for index in candidates], items=self.shape[1], classes=self.shape[2]
        )
        return self._passed_on(part, (list(candidates),))

    def held(self) -> ClassShares:
        """Returns the probabilities with every array read and stored; meant for a single candidate."""
        return self._passed_on(
            ClassShares([KeptShares(shares) for shares in self], items=self.shape[1], classes=self.shape[2]),
            (),
        )

    def _passed_on(self, part: ClassShares, places: tuple[Any, ...]) -> ClassShares:
        """Passes votes that were computed already on to a selection, which then need not compute them."""
        if "_highest" in self.__dict__ and self.shape[2]:
            votes, highest = self._highest
            part.__dict__["_highest"] = votes[places], highest[places]
        return part
