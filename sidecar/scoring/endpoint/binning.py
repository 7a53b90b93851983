"""Bins the window's inputs as one candidate's profile does: all items, and the items of each segment."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.evidence import TargetStatistics
from sidecar.core.profile import SourceProfile
from sidecar.core.tensors import Array
from sidecar.scoring.endpoint.batches import Prepared
from sidecar.scoring.endpoint.target import TargetBins

_NO_WORDS: Final = np.empty(0, dtype=np.object_)


class Binning:
    """Bins each item once, even if the candidate is given the item again.

    Attributes:
        target: bins of all items.
        segments: bins of the items of each segment, by the segment's name.
    """

    def __init__(self, profile: SourceProfile) -> None:
        self.target = TargetBins(profile)
        self.segments: dict[str, TargetBins] = {}
        self._profile = profile
        self._next_id = 0
        # The bins hold no item before this number.
        self._oldest_id: float = 0

    def features(self, batch: Prepared, inputs: dict[str, Array]) -> Array:
        """Returns the items' features as the profile defines them [items, d].

        Raises:
            InvalidError: an input is missing or not finite, or the number of features differs.
        """
        features, wanted = batch.features(inputs, self._profile.inputs), len(self._profile.low)
        if features.shape[1] != wanted:
            raise InvalidError(
                f"the items have {features.shape[1]} features and the profile {wanted}: build the profile "
                "from data that has the traffic's shape"
            )
        return features

    def add(self, batch: Prepared, inputs: dict[str, Array], segments: Mapping[str, Array]) -> None:
        """Bins the items of a batch.

        Args:
            batch: the items.
            inputs: the batch's tensors, by the names of the model's inputs.
            segments: rows of the batch by the segment that they belong to.

        Raises:
            InvalidError: see `features`.
        """
        profile, items = self._profile, batch.batch.items
        features = self.features(batch, inputs)
        words = batch.words(inputs, profile.inputs) if profile.words else _NO_WORDS
        ids = batch.first_id + np.arange(items)
        fresh = max(self._next_id - batch.first_id, 0)
        self._next_id = max(self._next_id, batch.first_id + items)
        self._oldest_id = min(self._oldest_id, batch.first_id)
        bins = [(self.target, np.arange(items))]
        bins += [
            (self.segments.setdefault(name, TargetBins(profile)), rows) for name, rows in segments.items()
        ]
        for target, of_target in bins:
            rows = of_target[of_target >= fresh]
            if len(rows):
                target.add(
                    ids[rows], batch.part(features, rows), batch.part(words, rows) if profile.words else words
                )

    def of_segment(self, name: str) -> TargetStatistics | None:
        """Returns the statistics of a segment's items; None if no item of it was binned."""
        return self.segments[name].statistics() if name in self.segments else None

    def evict(self, before_id: int, segments: AbstractSet[str]) -> None:
        """Drops the bins of items before `before_id`, and of segments that have no item any more.

        Args:
            before_id: number of the window's first item.
            segments: names of the segments that items in the window belong to.
        """
        # Items leave the window at every request, but bins only when a partition's first item does.
        if before_id <= self._oldest_id:
            return
        for name in self.segments.keys() - segments:
            del self.segments[name]
        all_bins = (self.target, *self.segments.values())
        for bins in all_bins:
            bins.evict(before_id)
        self._oldest_id = min(bins.oldest_id for bins in all_bins)
