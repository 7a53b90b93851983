from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.tensors import Array
from sidecar.scoring.endpoint.segments import OTHER, SegmentNames, cleaned, tensor_values

WINDOW = 12
MOST = 2
MIN_ITEMS = 2
STREAM = st.lists(st.lists(st.sampled_from(["a", "b", "c", "d", "", OTHER]), max_size=5), max_size=20)


class Stream:
    """A window that holds the newest `WINDOW` items, as an endpoint feeds it."""

    def __init__(self, items: int = WINDOW, most: int = MOST, min_items: int = MIN_ITEMS) -> None:
        self.segments = SegmentNames(items=items, most=most, min_items=min_items)
        self.values: list[str] = []
        self.items = items

    @property
    def first_id(self) -> int:
        return max(len(self.values) - self.items, 0)

    def send(self, values: list[str]) -> None:
        first_id = len(self.values)
        self.values += values
        self.segments.evict(self.first_id)
        self.segments.put(first_id, values)
        self.segments.settle()

    @property
    def found(self) -> list[str]:
        return list(self.segments.of(np.arange(self.first_id, len(self.values))))

    @property
    def held(self) -> list[str]:
        return self.values[self.first_id :]


@given(STREAM)
def test_names_are_few_and_those_of_frequent_values_and_stay_while_the_value_is_there(
    batches: list[list[str]],
) -> None:
    stream = Stream()
    before: set[str] = set()
    for batch in batches:
        stream.send(batch)
        named = set(stream.segments.names)
        counts = Counter(stream.held)
        assert len(named) <= MOST
        # Who had a name keeps it, unless its last item left before the next came.
        stayed = stream.held[: len(stream.held) - len(batch)]
        assert before & set(stayed) <= named
        assert all(counts[name] >= MIN_ITEMS for name in named - before)
        assert not named & {"", OTHER}
        assert stream.found == [value if value in named else OTHER for value in stream.held]
        before = named


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=WINDOW), st.randoms(use_true_random=False))
def test_the_order_of_a_requests_items_changes_no_name(values: list[str], random: object) -> None:
    one, other = Stream(), Stream()
    one.send(values)
    other.send(random.sample(values, len(values)))  # type: ignore[attr-defined]  # hypothesis types it loosely
    counts = Counter(values)
    frequent = [name for name in sorted(counts, key=lambda name: (-counts[name], name)) if counts[name] > 1]
    assert one.segments.names == other.segments.names == tuple(sorted(frequent[:MOST]))


def test_a_newcomer_waits_until_a_name_is_free() -> None:
    stream = Stream()
    stream.send(["a", "a", "b", "b"])
    assert stream.found == ["a", "a", "b", "b"]
    stream.send(["c"] * 9)
    assert stream.found == ["a", "b", "b", *[OTHER] * 9]
    stream.send(["c"])
    assert stream.found == ["b", "b", *["c"] * 10]
    stream.send(["c", "c"])
    assert stream.found == ["c"] * 12


def test_a_value_given_later_replaces_the_first() -> None:
    stream = Stream()
    stream.send(["", "", "", ""])
    assert stream.found == [OTHER] * 4
    stream.segments.put(1, ["x", "x"])
    stream.segments.settle()
    assert stream.found == [OTHER, "x", "x", OTHER]
    stream.segments.put(1, ["y", "y"])
    stream.segments.settle()
    assert stream.found == [OTHER, "y", "y", OTHER]


def test_a_window_that_was_emptied_starts_at_any_item() -> None:
    segments = SegmentNames(items=4, most=1, min_items=1)
    segments.put(0, ["a", "a"])
    segments.evict(100)
    segments.put(100, ["b"])
    segments.settle()
    assert segments.names == ("b",)
    assert list(segments.of(np.array([100]))) == ["b"]


def test_asking_for_names_gives_none() -> None:
    segments = SegmentNames(items=4, most=1, min_items=1)
    segments.put(0, ["a"])
    assert not segments.names
    assert list(segments.of(np.array([0]))) == [OTHER]
    # The value that is most frequent when the names are settled gets the place, not the first asked about.
    segments.put(1, ["b", "b"])
    segments.settle()
    assert segments.names == ("b",)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("north", "north"),
        (b"north", "north"),
        ("x" * 65, "x" * 64),
        ("é" * 65, "é" * 64),
        (b"\xff\x00a", "\N{REPLACEMENT CHARACTER}?a"),
        ("a\nb\ud800", "a?b?"),
    ],
)
def test_a_name_is_short_and_can_be_printed(value: bytes | str, name: str) -> None:
    assert cleaned(value) == name


@pytest.mark.parametrize(
    ("array", "names"),
    [
        (np.array([[b"eu"], [b"us"]], dtype=object), ["eu", "us"]),
        (np.array(["eu", "us"]), ["eu", "us"]),
        (np.array([3, -4]), ["3", "-4"]),
        (np.array([[True], [False]]), ["True", "False"]),
        (np.array([0.5, 2.0], dtype=np.float32), ["0.5", "2.0"]),
        (np.zeros((2, 2)), ["", ""]),
        (None, ["", ""]),
    ],
)
def test_a_tensor_names_items_where_it_has_one_value_for_each(array: Array | None, names: list[str]) -> None:
    assert tensor_values(array, 2) == names
