"""Places names beside their points so that none covers another or a point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sidecar.core.tensors import Floats

# Pixels: a letter of the 11 px font, a line, and how far a point's mark reaches.
LETTER: Final = 6.1
LINE: Final = 13.0
_MARK: Final = 5.0
# Tried one after the other: how far off, and in which directions (right, down).
_DISTANCES: Final = (9.0, 20.0, 34.0, 50.0)
_DIRECTIONS: Final = ((1, -0.6), (1, 0.6), (-1, -0.6), (-1, 0.6), (0.3, -1), (0.3, 1), (-0.3, -1), (-0.3, 1))


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Box) -> bool:
        """Whether the two share any room."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def holds(self, points: Floats) -> int:
        """How many of the points [n, 2] lie inside."""
        x, y = points.T
        inside = (x > self.left) & (x < self.right) & (y > self.top) & (y < self.bottom)
        return int(inside.sum())

    def within(self, other: Box) -> bool:
        """Whether nothing of it lies outside of the other one."""
        return (
            self.left >= other.left
            and self.right <= other.right
            and self.top >= other.top
            and self.bottom <= other.bottom
        )


def place_names(names: Sequence[str], points: Floats, others: Floats, frame: Box) -> list[Box | None]:
    """Finds room for names, the first ones first.

    Args:
        names: in order of importance.
        points: where their points stand, shape [names, 2].
        others: points that had better stay visible, shape [others, 2].
        frame: box that names stay inside.

    Returns:
        room for each name, of several the one that covers fewest others; None where there is none.
    """
    covered = [_around(x, y) for x, y in points.tolist()]
    answers: list[Box | None] = []
    for name, (x, y) in zip(names, points.tolist(), strict=True):
        rooms = [box for box in _rooms(name, x, y) if _free(box, covered, frame)]
        found = min(rooms, key=lambda box: box.holds(others), default=None)
        answers.append(found)
        if found is not None:
            covered.append(found)
    return answers


def _rooms(name: str, x: float, y: float) -> list[Box]:
    width = LETTER * len(name)
    rooms = []
    for distance in _DISTANCES:
        for right, down in _DIRECTIONS:
            # The corner or side that looks to the point lies in that direction.
            left = x + distance * right - (width if right < 0 else 0) * min(1.0, abs(right) * 2)
            middle = y + distance * down
            rooms.append(Box(left, middle - LINE / 2, left + width, middle + LINE / 2))
    return rooms


def _free(box: Box, covered: Sequence[Box], frame: Box) -> bool:
    return box.within(frame) and not any(box.overlaps(other) for other in covered)


def _around(x: float, y: float) -> Box:
    return Box(x - _MARK, y - _MARK, x + _MARK, y + _MARK)
