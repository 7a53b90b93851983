"""One candidate's answers to the window's items, by item number."""

from __future__ import annotations

import numpy as np

from sidecar.core.tensors import Array, Floats


class Answers:
    """Rings of class probabilities and energies as large as the window; an answer leaves with its item."""

    def __init__(self, items: int, classes: int) -> None:
        self._probabilities = np.zeros((items, classes), dtype=np.float32)
        self._energies = np.zeros(items)
        self._ids = np.full(items, -1, dtype=np.int64)

    def put(self, first_id: int, probabilities: Floats, energies: Floats | None = None) -> None:
        """Keeps the answers of items `first_id`, `first_id + 1`, ...; not where a newer item's stands.

        Args:
            first_id: number of the first item.
            probabilities: shape [items, classes].
            energies: of the logits, shape [items]; None where the model gives none.
        """
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

    def energies(self, ids: Array) -> Floats:
        """What was put for the energies of answered items [items]."""
        return np.asarray(self._energies[ids % len(self._ids)])
