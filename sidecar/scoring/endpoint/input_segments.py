"""Finds the segments of a window's items from the items' inputs alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Floats
from sidecar.estimation.accuracy.clusters import cluster_centres, matched, nearest_centre
from sidecar.scoring.endpoint.batches import Batches, Prepared
from sidecar.scoring.endpoint.segments import SegmentNames
from sidecar.scoring.endpoint.window import Window

# Fewer items than `_LEAST_ITEMS` give unsteady centres; more than `_MOST_ITEMS` only take longer.
_LEAST_ITEMS: Final = 256
_MOST_ITEMS: Final = 1024
_BATCH: Final = 256


class InputSegments:
    """Names items by the nearest of a few cluster centres.

    The centres stay until the window holds no item that they were found from. A new centre takes the name of
    the old centre that it is nearest to. An item keeps the name that it was given.
    """

    def __init__(self, most: int, seed: int) -> None:
        """Prepares without centres.

        Args:
            most: greatest number of centres.
            seed: seed of the search for centres.
        """
        self._most = most
        self._seed = seed
        self._batches = Batches()
        self._centres: Floats | None = None
        self._names: list[str] = []
        self._fits = 0
        self._named = 0
        self._fitted_id = 0
        self._placed_id = 0

    @property
    def rule(self) -> str:
        """The rule that assigns items, in words."""
        return f"inputs: nearest of {len(self._names)} centres"

    def place(
        self, window: Window, segments: SegmentNames, until_id: int, features: Callable[[Prepared], Floats]
    ) -> None:
        """Gives the items before `until_id` their segments' names.

        Args:
            window: holds the items.
            segments: takes the names.
            until_id: number of the first item that may wait.
            features: returns the features of a batch's items in equal units [items, d]; raises InvalidError
                if the items have no features, and their names are then empty.
        """
        if len(window) >= _LEAST_ITEMS and window.first_id >= self._fitted_id:
            self._fit(window, features)
        if self._centres is None:
            return
        while self._placed_id < until_id:
            batch = self._batches.take(window, self._placed_id, _BATCH)
            if batch is None:
                return
            try:
                nearest = nearest_centre(features(batch), self._centres)
            except InvalidError:
                values = [""] * batch.batch.items
            else:
                values = [self._names[centre] for centre in nearest]
            segments.put(batch.first_id, values)
            self._placed_id = batch.first_id + batch.batch.items

    def _fit(self, window: Window, features: Callable[[Prepared], Floats]) -> None:
        stride = -(-len(window) // _MOST_ITEMS)
        parts = []
        for piece in window.since(window.first_id):
            chosen = np.arange(piece.first_id, piece.first_id + piece.batch.items) % stride == 0
            if chosen.any():
                try:
                    parts.append(features(Prepared(piece))[chosen])
                except InvalidError:
                    continue
        rows = np.concatenate(parts) if parts else np.empty((0, 0))
        self._fitted_id = window.next_id
        if len(rows) * stride < _LEAST_ITEMS:
            return
        self._fits += 1
        centres = cluster_centres(rows, self._most, np.random.default_rng([self._seed, self._fits]))
        self._names = self._renamed(centres)
        self._centres = centres

    def _renamed(self, centres: Floats) -> list[str]:
        """Returns names for new centres: old names where they match; empty for a single first centre."""
        if self._centres is None or not any(self._names):
            known = np.full(len(centres), -1)
        else:
            known = matched(centres, self._centres)
        if len(centres) == 1 and known[0] < 0:
            return [""]
        names = []
        for old in known:
            self._named += old < 0
            names.append(f"inputs-{self._named}" if old < 0 else self._names[old])
        return names
