"""The window of an endpoint, and the segment that each of its items belongs to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sidecar.config.schema import Endpoint
from sidecar.core.tensors import Array, Batch
from sidecar.scoring.endpoint.input_segments import InputSegments
from sidecar.scoring.endpoint.loaded import Loaded
from sidecar.scoring.endpoint.segments import OTHER, SegmentNames, cleaned, tensor_values
from sidecar.scoring.endpoint.window import Window


class SegmentedWindow:
    """Holds the newest items and names their segments; a changed window needs a new object."""

    def __init__(self, settings: Endpoint) -> None:
        self.window = Window(items=settings.window.items, size_bytes=settings.window.bytes)
        self._names = SegmentNames(items=settings.window.items)
        self._by_inputs: tuple[Loaded, InputSegments] | None = None
        self.configure(settings)

    def configure(self, settings: Endpoint) -> None:
        """Takes new settings whose window and segmentation are the old ones."""
        self._split = settings.segments
        self._seed = settings.ranking.seed
        self._names.min_items = settings.ranking.min_items
        self._names.most = settings.segments.max if settings.segments else 0

    @property
    def names(self) -> tuple[str, ...]:
        """The named segments, in alphabetical order."""
        return self._names.names

    def values(self, batch: Batch, metadata: bytes) -> list[str]:
        """Returns the value that names each item's segment; empty if the request brings no values.

        Args:
            batch: the items of one request.
            metadata: the request's value of the metadata key that the configuration names.
        """
        split = self._split
        if split is not None and split.tensor is not None:
            return tensor_values(batch.inputs.get(split.tensor), batch.items)
        if split is not None and split.metadata is not None:
            return [cleaned(metadata)] * batch.items
        return []

    def append(self, batch: Batch, values: Sequence[str]) -> bool:
        """Puts the items of one request into the window; True if older items left it."""
        evicted = self.window.evicted
        self.window.append(batch)
        if self._split is not None:
            kept = min(batch.items, len(self.window))
            self._names.evict(self.window.first_id)
            self._names.put(self.window.next_id - kept, values[batch.items - kept :] or [""] * kept)
        return self.window.evicted > evicted

    def assign(self, until_id: int, incumbent: Loaded | None, *, tensor: str | None) -> None:
        """Gives the items before `until_id` their segments.

        Args:
            until_id: number of the first item that may wait.
            incumbent: its profile standardises the inputs, if the inputs decide the segments; None leaves
                them undecided.
            tensor: the request's tensor for a model whose only input has another name.
        """
        if self._split is not None and self._split.inputs and incumbent is not None:
            if self._by_inputs is None or self._by_inputs[0] is not incumbent:
                # Distances depend on the incumbent's profile; another profile needs centres of its own.
                self._by_inputs = incumbent, InputSegments(self._split.max, self._seed)
            self._by_inputs[1].place(
                self.window,
                self._names,
                until_id,
                lambda batch: incumbent.standardised(batch, tensor=tensor),
            )
        self._names.settle()

    def settle(self) -> None:
        """Names the segments that have become frequent enough since the last call."""
        self._names.settle()

    def rows(self, ids: Array) -> dict[str, Array]:
        """Returns the indices of `ids` that belong to each segment; empty without named segments."""
        names = self.names
        if not names:
            return {}
        found = self._names.of(ids)
        present = set(found)
        return {name: np.flatnonzero(found == name) for name in (*names, OTHER) if name in present}

    def rule(self, name: str) -> str:
        """Says in words how items are assigned to a segment."""
        if self._split is None:
            return ""
        if self._by_inputs is not None:
            return "inputs: not placed, or too few of a kind" if name == OTHER else self._by_inputs[1].rule
        source = (
            f"tensor {self._split.tensor}"
            if self._split.tensor is not None
            else f"metadata {self._split.metadata}"
        )
        return f"{source}: any other value, or none" if name == OTHER else f"{source} = {name}"
