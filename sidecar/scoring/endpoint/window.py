"""The newest items of an endpoint. The oldest items leave first; an item in the window never changes."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from sidecar.core.tensors import Array, Batch


@dataclass(frozen=True, slots=True)
class Slice:
    """Consecutive items of the window: `first_id`, `first_id + 1`, ..."""

    first_id: int
    batch: Batch


class Window:
    """Holds the newest items within bounds; items are numbered in the order of their arrival.

    Attributes:
        first_id: number of the oldest item in the window.
        next_id: number that the next item gets.
        size_bytes: what the tensors in the window take.
        evicted: items that have left the window.
    """

    def __init__(self, *, items: int, size_bytes: int) -> None:
        self._max_items = items
        self._max_bytes = size_bytes
        self._slices: deque[tuple[Slice, int]] = deque()
        self.first_id = 0
        self.next_id = 0
        self.size_bytes = 0
        self.evicted = 0

    def __len__(self) -> int:
        return self.next_id - self.first_id

    def append(self, batch: Batch) -> None:
        """Adds the batch's items and evicts the oldest requests until the bounds hold again.

        If a request is larger than the window, its newest items stay.
        """
        surplus = max(batch.items - self._max_items, 0)
        if surplus:
            batch = _tail(batch, surplus)
            self._skip(surplus)
        size = _size(batch)
        self._slices.append((Slice(self.next_id, batch), size))
        self.next_id += batch.items
        self.size_bytes += size
        while self._slices and (len(self) > self._max_items or self.size_bytes > self._max_bytes):
            old, old_size = self._slices.popleft()
            self.first_id += old.batch.items
            self.size_bytes -= old_size
            self.evicted += old.batch.items

    def since(self, item_id: int) -> Iterator[Slice]:
        """Yields the items from `item_id` on, oldest first; a request that starts before it is cut."""
        # A search, because walking through a window of single items for every batch would be slow.
        first = bisect_right(self._slices, item_id, key=lambda kept: kept[0].first_id)
        for entry, _ in islice(self._slices, max(first - 1, 0), None):
            behind = item_id - entry.first_id
            if behind <= 0:
                yield entry
            elif behind < entry.batch.items:
                yield Slice(item_id, _tail(entry.batch, behind))

    def _skip(self, items: int) -> None:
        """Skips the numbers of items that never enter the window; everything before them leaves."""
        self.evicted += len(self) + items
        self._slices.clear()
        self.size_bytes = 0
        self.next_id += items
        self.first_id = self.next_id


def _tail(batch: Batch, start: int) -> Batch:
    """Returns the items from `start` on."""

    def cut(arrays: dict[str, Array]) -> dict[str, Array]:
        return {name: array[start:] for name, array in arrays.items()}

    return Batch(inputs=cut(batch.inputs), outputs=cut(batch.outputs))


def _size(batch: Batch) -> int:
    total = 0
    for array in (*batch.inputs.values(), *batch.outputs.values()):
        total += array.nbytes
        if array.dtype == object:
            total += sum(len(value) for value in array.ravel())
    return total
