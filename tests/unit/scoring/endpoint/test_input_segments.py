from __future__ import annotations

import numpy as np
import pytest

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array, Batch, Floats
from sidecar.scoring.endpoint.batches import Prepared
from sidecar.scoring.endpoint.input_segments import InputSegments
from sidecar.scoring.endpoint.segments import OTHER, SegmentNames
from sidecar.scoring.endpoint.window import Window

ITEMS = 400


class Traffic:
    """Kinds of items around places on a line, ten deviations apart, through a window."""

    def __init__(self, seed: int = 0) -> None:
        self.window = Window(items=ITEMS, size_bytes=1 << 30)
        self.segments = SegmentNames(items=ITEMS, most=4, min_items=1)
        self.by_inputs = InputSegments(4, 0)
        self.rng = np.random.default_rng(seed)
        self.kinds: list[int] = []

    def send(self, places: tuple[int, ...], items: int) -> None:
        kinds = np.resize(places, items)
        self.kinds += kinds.tolist()
        rows = 10.0 * kinds[:, None] + self.rng.normal(size=(items, 2))
        for start in range(0, items, 8):
            batch = Batch({"x": rows[start : start + 8]}, {})
            self.window.append(batch)
            self.segments.evict(self.window.first_id)
            self.segments.put(self.window.next_id - batch.items, [""] * batch.items)

    def place(self) -> dict[int, set[str]]:
        """Segments by kind of all that the window holds."""
        self.by_inputs.place(self.window, self.segments, self.window.next_id, features)
        self.segments.settle()
        ids = np.arange(self.window.first_id, self.window.next_id)
        kinds = np.array(self.kinds)[ids]
        names: Array = self.segments.of(ids)
        return {int(kind): set(names[kinds == kind]) for kind in np.unique(kinds)}


def features(batch: Prepared) -> Floats:
    rows = batch.batch.inputs["x"]
    if np.isnan(rows).any():
        raise InvalidError("odd items")
    return rows


def test_kinds_get_a_segment_each_once_there_is_enough_to_tell() -> None:
    traffic = Traffic()
    traffic.send((0, 1), 248)
    assert traffic.place() == {0: {OTHER}, 1: {OTHER}}
    traffic.send((0, 1), 8)
    found = traffic.place()
    assert sorted(found[0] | found[1]) == ["inputs-1", "inputs-2"]
    assert len(found[0]) == len(found[1]) == 1
    assert traffic.by_inputs.rule == "inputs: nearest of 2 centres"


def test_one_kind_of_traffic_is_not_split() -> None:
    traffic = Traffic()
    traffic.send((0,), 300)
    assert traffic.place() == {0: {OTHER}}
    assert traffic.segments.names == ()


def test_new_items_go_to_the_nearest_centre_and_names_outlive_the_items_they_were_found_from() -> None:
    traffic = Traffic()
    traffic.send((0, 1), 300)
    first = traffic.place()
    for _ in range(5):
        traffic.send((0, 1), 200)
        assert traffic.place() == first


def test_a_kind_that_comes_later_is_found_when_the_window_has_turned_over_and_takes_no_name() -> None:
    traffic = Traffic()
    traffic.send((0, 1), 300)
    first = traffic.place()
    traffic.send((0, 1, 5), 300)
    assert traffic.place()[0] == first[0]
    traffic.send((0, 1, 5), 600)
    traffic.place()
    traffic.send((0, 1, 5), 600)
    assert traffic.place() == first | {5: {"inputs-3"}}


def test_equal_traffic_gives_equal_segments() -> None:
    places = []
    for _ in range(2):
        traffic = Traffic()
        traffic.send((0, 1, 2), 300)
        places.append(traffic.place())
    assert places[0] == places[1]
    assert len(places[0]) == 3


@pytest.mark.parametrize("odd", [1, 40])
def test_items_without_features_are_in_no_segment_and_stop_nothing(odd: int) -> None:
    traffic = Traffic()
    traffic.send((0, 1), 296)
    for _ in range(odd):
        traffic.kinds += [9]
        traffic.window.append(Batch({"x": np.full((1, 3), np.nan)}, {}))
        traffic.segments.put(traffic.window.next_id - 1, [""])
    found = traffic.place()
    assert found[9] == {OTHER}
    assert found[0] | found[1] == {"inputs-1", "inputs-2"}
