import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.tensors import Batch
from sidecar.scoring.endpoint.window import Window


def batch(first: int, rows: int) -> Batch:
    return Batch(inputs={"x": np.arange(first, first + rows, dtype=np.float32)[:, None]}, outputs={})


def held(window: Window, item_id: int = 0) -> list[int]:
    return [int(value) for piece in window.since(item_id) for value in piece.batch.inputs["x"][:, 0]]


@given(
    st.integers(1, 20),
    st.integers(4, 200),
    st.lists(st.integers(1, 30), min_size=1, max_size=30),
    st.integers(0, 300),
)
def test_keeps_the_newest_items_within_both_bounds(
    items: int, size_bytes: int, requests: list[int], since: int
) -> None:
    window = Window(items=items, size_bytes=size_bytes)
    sent = 0
    for rows in requests:
        window.append(batch(sent, rows))
        sent += rows
        assert len(window) <= items
        assert window.size_bytes <= size_bytes
        assert window.next_id == sent
        assert window.evicted + len(window) == sent
        # An item's number is its place in the traffic, and what is held is the newest of it.
        assert held(window) == list(range(window.first_id, sent))
        assert held(window, since) == [number for number in range(window.first_id, sent) if number >= since]


def test_bytes_of_text_are_counted() -> None:
    window = Window(items=10, size_bytes=1000)
    window.append(Batch(inputs={"t": np.array([b"x" * 900], dtype=object)}, outputs={}))
    assert window.size_bytes > 900
    window.append(Batch(inputs={"t": np.array([b"y" * 900], dtype=object)}, outputs={}))
    assert len(window) == 1
    assert window.evicted == 1
