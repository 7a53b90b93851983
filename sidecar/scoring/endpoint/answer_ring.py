"""One candidate's answers to the window's items, by item number; they are kept once, in single precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sidecar.core.class_shares import FEW_CLASSES, CandidateShares, KeptShares
from sidecar.core.labels import align
from sidecar.core.tensors import Array, Floats


class AnswerRing:
    """Ring buffers of class probabilities and logit energies, as large as the window.

    An answer is overwritten by the answer to the item that takes its item's place in the window.
    """

    def __init__(self, items: int, classes: int) -> None:
        self._probabilities = np.zeros((items, classes), dtype=np.float32)
        self._logit_energies = np.zeros(items)
        self._ids = np.full(items, -1, dtype=np.int64)
        self._puts = 0

    def put(self, first_id: int, probabilities: Floats, logit_energies: Floats | None = None) -> None:
        """Keeps the answers of items `first_id`, `first_id + 1`, ...; an answer to a newer item stays.

        Args:
            first_id: number of the first item.
            probabilities: shape [items, classes].
            logit_energies: logsumexp of each item's logits, shape [items]; None if the model gives no logits.
        """
        self._puts += 1
        ids = np.arange(first_id, first_id + len(probabilities))
        # A late answer must not overwrite the answer to a newer item.
        rows = np.flatnonzero(self._ids[ids % len(self._ids)] <= ids)
        places = ids[rows] % len(self._ids)
        self._probabilities[places] = probabilities[rows]
        if logit_energies is not None:
            self._logit_energies[places] = logit_energies[rows]
        self._ids[places] = ids[rows]

    def has(self, ids: Array) -> Array:
        """Tells which of the items are answered; bool, shape of `ids`."""
        return np.asarray(self._ids[ids % len(self._ids)] == ids)

    def of(self, ids: Array) -> Floats:
        """Returns the probabilities of answered items, float64 [items, classes]; each row sums to 1."""
        rows = self._probabilities[ids % len(self._ids)].astype(np.float64)
        return np.asarray(rows / rows.sum(axis=1, keepdims=True))

    def votes(self, ids: Array) -> Array:
        """Returns the most probable class of answered items as an index, int64 [items]."""
        return np.asarray(self._probabilities[ids % len(self._ids)].argmax(axis=1))

    def shares(self, ids: Array, classes: Sequence[str], space: Sequence[str]) -> CandidateShares:
        """Returns the probabilities of answered items over the classes of a label space.

        If the space has few classes, the result is a copy in double precision. If it has many, nothing is
        copied before the result is read, so it must be read before the next `put`.

        Args:
            ids: the items [items].
            classes: the candidate's classes, in the order of its answers.
            space: names of the label space's classes; it contains all of `classes`.
        """
        if len(space) <= FEW_CLASSES:
            return KeptShares(align(self.of(ids), classes, space))
        return _RingShares(self, ids, tuple(classes), tuple(space), self._puts)

    def _rows(self, ids: Array, puts: int) -> Array:
        """Copies the probabilities of the items, float32 [items, classes]."""
        if puts != self._puts:
            raise RuntimeError(
                "the candidate's answers changed while a round read them: make the evidence anew"
            )
        return np.asarray(self._probabilities[ids % len(self._ids)])

    def logit_energies(self, ids: Array) -> Floats:
        """Returns the logit energies of answered items [items]."""
        return np.asarray(self._logit_energies[ids % len(self._ids)])


@dataclass(frozen=True, slots=True)
class _RingShares:
    """Probabilities over many classes, read from the ring; each row sums to 1 up to single precision."""

    answers: AnswerRing
    ids: Array
    classes: tuple[str, ...]
    space: tuple[str, ...]
    puts: int

    def read(self) -> Array:
        """Copies the rows out of the ring, float32 [items, classes of the space]."""
        return align(self.answers._rows(self.ids, self.puts), self.classes, self.space)  # noqa: SLF001 - its own

    def where(self, items: Array) -> _RingShares:
        """Returns the same for the items at these indices."""
        return replace(self, ids=self.ids[items])
