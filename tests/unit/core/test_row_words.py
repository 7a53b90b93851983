from __future__ import annotations

import numpy as np
import pytest

from sidecar.core.row_words import row_words
from sidecar.core.tensors import TensorSpec

TITLE, BODY = TensorSpec("title", "BYTES", (1,)), TensorSpec("body", "BYTES", (2,))


def test_words_are_lower_cased_and_stop_words_left_out() -> None:
    texts = np.array([[b"The Cat, and THE cat's 2 hats"], [b""]], dtype=object)
    assert row_words({"title": texts}, [TITLE]).tolist() == [["cat", "cat", "hats"], []]


def test_all_texts_of_an_item_are_taken_and_none_runs_into_the_next() -> None:
    inputs = {
        "title": np.array([[b"red"], [b"blue"]], dtype=object),
        "body": np.array([["alpha", "beta"], ["gamma", "delta"]], dtype=object),
    }
    found = row_words(inputs, [TITLE, BODY])
    assert found.tolist() == [["red", "alpha", "beta"], ["blue", "gamma", "delta"]]


def test_words_of_any_script_are_words_and_what_is_no_text_is_survived() -> None:
    texts = np.array([["Größe 模型 ещё".encode()], [b"\xff\xfe ok"]], dtype=object)
    assert row_words({"title": texts}, [TITLE]).tolist() == [["größe", "模型", "ещё"], ["ok"]]


@pytest.mark.parametrize("length", [40, 41])
def test_blobs_are_no_words(length: int) -> None:
    texts = np.array([[b"a" * length]], dtype=object)
    assert len(row_words({"title": texts}, [TITLE])[0]) == (length == 40)


def test_no_text_has_no_words() -> None:
    assert row_words({"x": np.zeros((3, 2))}, []).shape == (0,)
