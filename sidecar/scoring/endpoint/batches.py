"""Joins the window's requests to batches. Candidates share the batches, so each is prepared once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from sidecar.core.features import to_features
from sidecar.core.row_words import row_words
from sidecar.core.tensors import Array, Batch, TensorSpec
from sidecar.scoring.endpoint.window import Slice, Window


class Prepared:
    """Consecutive items of the window; what one candidate computes from them is kept for the others."""

    def __init__(self, piece: Slice) -> None:
        self.first_id = piece.first_id
        self.batch = piece.batch
        self._features: dict[tuple[tuple[int, str], ...], Array] = {}
        self._words: dict[tuple[int, ...], Array] = {}
        self._parts: dict[tuple[int, bytes], Array] = {}

    def features(self, inputs: dict[str, Array], specs: Sequence[TensorSpec]) -> Array:
        """Returns `to_features` of the batch; computed once for candidates that take the same arrays."""
        key = tuple((id(inputs[spec.name]), spec.datatype) for spec in specs)
        if key not in self._features:
            self._features[key] = to_features(inputs, specs)
        return self._features[key]

    def words(self, inputs: dict[str, Array], specs: Sequence[TensorSpec]) -> Array:
        """Returns `row_words` of the batch; computed once for candidates that take the same texts."""
        texts = [spec for spec in specs if spec.datatype == "BYTES"]
        key = tuple(id(inputs[spec.name]) for spec in texts)
        if key not in self._words:
            self._words[key] = row_words(inputs, texts)
        return self._words[key]

    def part(self, array: Array, rows: Array) -> Array:
        """Returns some rows of the features or words; copied once for all candidates."""
        if len(rows) == self.batch.items:
            return array
        key = (id(array), rows.tobytes())
        if key not in self._parts:
            self._parts[key] = array[rows]
        return self._parts[key]


class Batches:
    """Makes batches of the window's items; keeps the last batch for the candidates that come next."""

    def __init__(self) -> None:
        self._last: Prepared | None = None

    def take(self, window: Window, item_id: int, items: int) -> Prepared | None:
        """Joins requests with equal tensors from `item_id` on, up to `items`; a longer request stays whole.

        Returns:
            the batch, the last one again if it begins at the same item; None if there are no items.
        """
        start = max(item_id, window.first_id)
        last = self._last
        if last is not None and last.first_id == start and last.batch.items <= items:
            return last
        piece = _join_next(window.since(start), items)
        self._last = Prepared(piece) if piece is not None else None
        return self._last


def _join_next(slices: Iterator[Slice], items: int) -> Slice | None:
    joined: list[Slice] = []
    total = 0
    for piece in slices:
        total += piece.batch.items
        if joined and (total > items or not _alike(joined[0].batch, piece.batch)):
            break
        joined.append(piece)
    return Slice(joined[0].first_id, _join([piece.batch for piece in joined])) if joined else None


def _alike(first: Batch, second: Batch) -> bool:
    return _form(first.inputs) == _form(second.inputs) and _form(first.outputs) == _form(second.outputs)


def _form(arrays: dict[str, Array]) -> dict[str, tuple[np.dtype[np.generic], tuple[int, ...]]]:
    return {name: (array.dtype, array.shape[1:]) for name, array in arrays.items()}


def _join(batches: list[Batch]) -> Batch:
    if len(batches) == 1:
        return batches[0]
    first = batches[0]
    return Batch(
        inputs={name: np.concatenate([batch.inputs[name] for batch in batches]) for name in first.inputs},
        outputs={name: np.concatenate([batch.outputs[name] for batch in batches]) for name in first.outputs},
    )
