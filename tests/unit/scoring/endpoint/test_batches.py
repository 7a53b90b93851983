from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.tensors import Batch, TensorSpec
from sidecar.scoring.endpoint.batches import Batches
from sidecar.scoring.endpoint.window import Window

SPECS = (TensorSpec("x", "FP32", (1,)),)


def request(first: int, rows: int, width: int = 1) -> Batch:
    values = np.repeat(np.arange(first, first + rows, dtype=np.float32)[:, None], width, axis=1)
    return Batch({"x": values}, {})


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 2)), min_size=1), st.integers(1, 12))
def test_batches_cover_all_items_once_and_keep_to_their_size(sent: list[tuple[int, int]], size: int) -> None:
    window = Window(items=1000, size_bytes=1 << 20)
    for rows, width in sent:
        window.append(request(window.next_id, rows, width))
    batches, item = Batches(), 0
    while (batch := batches.take(window, item, size)) is not None:
        assert batch.first_id == item
        values = batch.batch.inputs["x"]
        assert values[:, 0].tolist() == list(range(item, item + len(values)))
        assert len(values) <= max(size, 9)
        item += len(values)
    assert item == window.next_id


def test_candidates_share_a_batch_and_its_features() -> None:
    window = Window(items=10, size_bytes=1 << 20)
    for start in range(4):
        window.append(request(start, 1))
    batches = Batches()
    first = batches.take(window, 0, 4)
    window.append(request(4, 1))
    second = batches.take(window, 0, 4)
    assert first is second
    assert first is not None
    features = first.features(first.batch.inputs, SPECS)
    assert first.features(first.batch.inputs, SPECS) is features
    third = batches.take(window, 4, 4)
    assert third is not None
    assert third.batch.items == 1


def test_candidates_share_a_batchs_words() -> None:
    window = Window(items=10, size_bytes=1 << 20)
    window.append(Batch({"text": np.array([[b"red hats"], [b"blue"]], dtype=object)}, {}))
    batch = Batches().take(window, 0, 4)
    assert batch is not None
    texts = (TensorSpec("text", "BYTES", (1,)), *SPECS)
    words = batch.words(batch.batch.inputs, texts)
    assert words.tolist() == [["red", "hats"], ["blue"]]
    assert batch.words(batch.batch.inputs, texts) is words


def test_items_that_left_the_window_are_passed_over() -> None:
    window = Window(items=2, size_bytes=1 << 20)
    for start in range(5):
        window.append(request(start, 1))
    batch = Batches().take(window, 0, 8)
    assert batch is not None
    assert (batch.first_id, batch.batch.items) == (3, 2)


def test_candidates_share_the_rows_of_a_segment() -> None:
    window = Window(items=10, size_bytes=1 << 20)
    window.append(Batch({"x": np.arange(8, dtype=np.float32).reshape(4, 2)}, {}))
    batch = Batches().take(window, 0, 4)
    assert batch is not None
    features = batch.features(batch.batch.inputs, SPECS)
    some = batch.part(features, np.array([1, 3]))
    assert some.tolist() == [[2, 3], [6, 7]]
    assert batch.part(features, np.array([1, 3])) is some
    assert batch.part(features, np.arange(4)) is features
