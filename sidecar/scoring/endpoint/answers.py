"""One candidate's answers to the window's items, by item number; kept once, in single precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sidecar.core.class_shares import FEW_CLASSES, CandidateShares, KeptShares
from sidecar.core.labels import align
from sidecar.core.tensors import Array, Floats


class Answers:
    """Rings of class probabilities and energies as large as the window; an answer leaves with its item."""

    def __init__(self, items: int, classes: int) -> None:
        self._probabilities = np.zeros((items, classes), dtype=np.float32)
        self._energies = np.zeros(items)
        self._ids = np.full(items, -1, dtype=np.int64)
        self._puts = 0

    def put(self, first_id: int, probabilities: Floats, energies: Floats | None = None) -> None:
        """Keeps the answers of items `first_id`, `first_id + 1`, ...; not where a newer item's stands.

        Args:
            first_id: number of the first item.
            probabilities: shape [items, classes].
            energies: of the logits, shape [items]; None where the model gives none.
        """
        self._puts += 1
        ids = np.arange(first_id, first_id + len(probabilities))
        # A late answer must not take the place of a newer item's.
        rows = np.flatnonzero(self._ids[ids % len(self._ids)] <= ids)
        places = ids[rows] % len(self._ids)
        self._probabilities[places] = probabilities[rows]
        if energies is not None:
            self._energies[places] = energies[rows]
        self._ids[places] = ids[rows]

    def has(self, ids: Array) -> Array:
        """Which of the items are answered; bool, shape of `ids`."""
        return np.asarray(self._ids[ids % len(self._ids)] == ids)

    def of(self, ids: Array) -> Floats:
        """The answers of answered items, float64 [items, classes], rows sum to 1."""
        rows = self._probabilities[ids % len(self._ids)].astype(np.float64)
        return np.asarray(rows / rows.sum(axis=1, keepdims=True))

    def votes(self, ids: Array) -> Array:
        """The most probable class of answered items, its place in the candidate's own, int64 [items]."""
        return np.asarray(self._probabilities[ids % len(self._ids)].argmax(axis=1))

    def shares(self, ids: Array, classes: Sequence[str], space: Sequence[str]) -> CandidateShares:
        """The answers of answered items in a label space.

        Few classes are copied in double precision. Of many nothing is copied before it is read, so they must
        be read before the next answers are put.

        Args:
            ids: the items [items].
            classes: the candidate's, in the order of its answers.
            space: the names to have instead; holds all of `classes`.
        """
        if len(space) <= FEW_CLASSES:
            return KeptShares(align(self.of(ids), classes, space))
        return _RingShares(self, ids, tuple(classes), tuple(space), self._puts)

    def _rows(self, ids: Array, puts: int) -> Array:
        """What is kept of the items, float32 [items, classes]."""
        if puts != self._puts:
            raise RuntimeError("answers came while a round reads them: make the evidence anew")
        return np.asarray(self._probabilities[ids % len(self._ids)])

    def energies(self, ids: Array) -> Floats:
        """What was put for the energies of answered items [items]."""
        return np.asarray(self._energies[ids % len(self._ids)])


@dataclass(frozen=True, slots=True)
class _RingShares:
    """Answers over many classes, read from the ring; rows sum to 1 up to single precision's rounding."""

    answers: Answers
    ids: Array
    classes: tuple[str, ...]
    space: tuple[str, ...]
    puts: int

    def read(self) -> Array:
        """Copies the rows out of the ring, float32 [items, classes of the space]."""
        return align(self.answers._rows(self.ids, self.puts), self.classes, self.space)  # noqa: SLF001 - its own

    def where(self, items: Array) -> _RingShares:
        """The same of the items at some places."""
        return replace(self, ids=self.ids[items])
