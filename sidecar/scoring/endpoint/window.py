"""The newest items of an endpoint. Old ones leave first; items never change once they are in."""

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
    """Holds the newest items within `items` and `size_bytes`; every item has a growing number."""

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
        """Adds the batch's items and evicts the oldest until the bounds hold again.

        Whole requests are evicted; of a request larger than the window the newest items stay.
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
        """The items from `item_id` on, oldest first; a request that starts before it is cut."""
        # All before is older: a window of single items is not walked through for every batch.
        first = bisect_right(self._slices, item_id, key=lambda kept: kept[0].first_id)
        for entry, _ in islice(self._slices, max(first - 1, 0), None):
            behind = item_id - entry.first_id
            if behind <= 0:
                yield entry
            elif behind < entry.batch.items:
                yield Slice(item_id, _tail(entry.batch, behind))

    def _skip(self, items: int) -> None:
        """Numbers that no item in the window has: everything before them leaves."""
        self.evicted += len(self) + items
        self._slices.clear()
        self.size_bytes = 0
        self.next_id += items
        self.first_id = self.next_id


def _tail(batch: Batch, start: int) -> Batch:
    """The items from `start` on."""

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
