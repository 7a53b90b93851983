"""Which segment each of the window's items belongs to, by a value that it came with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np

from sidecar.core.tensors import Array

OTHER: Final = "other"
_LONGEST: Final = 64


class Segments:
    """Names the window's most frequent values; an item without one of them is `other`.

    A value that was named stays so until no item in the window has it: what comes later cannot push
    it out, so that a segment means the same from round to round.
    """

    def __init__(self, *, items: int, most: int = 0, min_items: int = 1) -> None:
        """Prepares for a window.

        Args:
            items: of the window, at most.
            most: named values at a time; fewer from now on take no name away.
            min_items: that a value needs to be named.
        """
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
        """The named values, in alphabetical order."""
        if self._unsettled:
            self._name()
        return tuple(sorted(self._named))

    def put(self, first_id: int, values: Sequence[str]) -> None:
        """Gives items `first_id`, `first_id + 1`, ... their values; a value given before is replaced.

        Items arrive without gaps, but for the first after all others have left.
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
        """Lets the items before `before_id` go."""
        for item in range(self._first_id, min(before_id, self._next_id)):
            self._forget(self._values[item % len(self._values)])
        self._first_id = min(max(self._first_id, before_id), self._next_id)

    def of(self, ids: Array) -> Array:
        """Names of the segments of items that are in the window; `str` objects, shape of `ids`."""
        named = set(self.names)
        found = self._values[ids % len(self._values)]
        return np.array([value if value in named else OTHER for value in found], dtype=np.object_)

    def _forget(self, value: str) -> None:
        self._counts[value] -= 1
        if not self._counts[value]:
            del self._counts[value]
            self._named.discard(value)

    def _name(self) -> None:
        """Fills the free places with the most frequent values; of equal ones the first by name."""
        self._unsettled = False
        unnamed = self._counts.keys() - self._named - {"", OTHER}
        frequent = [value for value in unnamed if self._counts[value] >= self.min_items]
        frequent.sort(key=lambda value: (-self._counts[value], value))
        self._named.update(frequent[: max(self.most - len(self._named), 0)])


def cleaned(value: bytes | str) -> str:
    """A value as a segment's name: its first 64 characters, `?` for what cannot be printed."""
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    return "".join(letter if letter.isprintable() else "?" for letter in text[:_LONGEST])


def tensor_values(array: Array | None, items: int) -> list[str]:
    """Reads the values of a request's tensor as names.

    Args:
        array: the tensor, one value an item; anything else, also none, gives no names.
        items: of the request.

    Returns:
        a name for each item; empty for none.
    """
    if array is None or array.size != items:
        return [""] * items
    return [cleaned(value if isinstance(value, bytes) else str(value)) for value in array.ravel().tolist()]
