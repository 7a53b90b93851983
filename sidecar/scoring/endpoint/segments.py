"""Names the segments of a window by the values that its items came with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np

from sidecar.core.tensors import Array

OTHER: Final = "other"
_LONGEST: Final = 64


class SegmentNames:
    """Makes the window's most frequent values segments; an item with any other value belongs to `other`.

    A value keeps its segment until no item in the window has the value. Later values cannot push it out, so
    that a segment means the same from round to round.

    Attributes:
        most: greatest number of segments beside `other`; a lower number takes no name away.
        min_items: a value becomes a segment when at least this many items in the window have it.
    """

    def __init__(self, *, items: int, most: int = 0, min_items: int = 1) -> None:
        """Prepares for a window of at most `items` items."""
        self.most = most
        self.min_items = min_items
        self._values = np.full(items, "", dtype=np.object_)
        self._counts: Counter[str] = Counter()
        self._named: set[str] = set()
        self._unsettled = False
        self._first_id = 0
        self._next_id = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The values that are segments since the last `settle`, in alphabetical order."""
        return tuple(sorted(self._named))

    def put(self, first_id: int, values: Sequence[str]) -> None:
        """Gives items `first_id`, `first_id + 1`, ... their values; a new value replaces an old one.

        Items must arrive without gaps, except after all earlier items have left.
        """
        if self._first_id == self._next_id:
            self._first_id = self._next_id = first_id
        for item, value in enumerate(values, first_id):
            if item < self._next_id:
                self._forget(self._values[item % len(self._values)])
            self._values[item % len(self._values)] = value
            self._counts[value] += 1
            self._unsettled |= self._counts[value] >= self.min_items and value not in self._named
        self._next_id = max(self._next_id, first_id + len(values))

    def evict(self, before_id: int) -> None:
        """Forgets the items before `before_id`."""
        for item in range(self._first_id, min(before_id, self._next_id)):
            self._forget(self._values[item % len(self._values)])
        self._first_id = min(max(self._first_id, before_id), self._next_id)

    def of(self, ids: Array) -> Array:
        """Returns the segments of items that are in the window; `str` objects, shape of `ids`."""
        found = self._values[ids % len(self._values)]
        return np.array([value if value in self._named else OTHER for value in found], dtype=np.object_)

    def settle(self) -> None:
        """Makes the most frequent values segments while there is room; equal counts go by alphabet."""
        if not self._unsettled:
            return
        self._unsettled = False
        unnamed = self._counts.keys() - self._named - {"", OTHER}
        frequent = [value for value in unnamed if self._counts[value] >= self.min_items]
        frequent.sort(key=lambda value: (-self._counts[value], value))
        self._named.update(frequent[: max(self.most - len(self._named), 0)])

    def _forget(self, value: str) -> None:
        self._counts[value] -= 1
        if not self._counts[value]:
            del self._counts[value]
            self._named.discard(value)


def cleaned(value: bytes | str) -> str:
    """Returns a value as a segment's name: 64 characters at most, `?` for each that cannot be printed."""
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    return "".join(letter if letter.isprintable() else "?" for letter in text[:_LONGEST])


def tensor_values(array: Array | None, items: int) -> list[str]:
    """Reads the values of a request's tensor as names.

    Args:
        array: the tensor, with one value for each item; any other size, or None, gives empty names.
        items: items in the request.

    Returns:
        a name for each item; an empty string for an item without a name.
    """
    if array is None or array.size != items:
        return [""] * items
    return [cleaned(value if isinstance(value, bytes) else str(value)) for value in array.ravel().tolist()]
