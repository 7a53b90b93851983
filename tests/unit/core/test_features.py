from __future__ import annotations

import numpy as np
import pytest

from sidecar.core.errors import InvalidError
from sidecar.core.features import WORD_BUCKETS, feature_names, to_features
from sidecar.core.tensors import TensorSpec

SPECS = (TensorSpec("x", "FP32", (2, 2)), TensorSpec("text", "BYTES", (1,)))


def test_inputs_are_flattened_in_order_and_text_is_counted_by_bucket() -> None:
    numbers = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    texts = np.array([[b"one two One"], [b""]], dtype=object)
    found = to_features({"text": texts, "x": numbers}, SPECS)
    assert found.shape == (2, 4 + WORD_BUCKETS)
    np.testing.assert_array_equal(found[:, :4], numbers.reshape(2, 4))
    assert found[:, 4:].sum(axis=1).tolist() == [3, 0]
    assert found[0, 4:].max() == 2
    names = feature_names(SPECS)
    assert (names[1], names[4], len(names)) == ("x[0,1]", "text.words[0]", 4 + WORD_BUCKETS)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_with_the_place(value: float) -> None:
    numbers = np.zeros((3, 2, 2), dtype=np.float32)
    numbers[1, 1, 0] = value
    with pytest.raises(InvalidError, match="input 'x' is not finite at item 1, value 2"):
        to_features({"x": numbers}, SPECS[:1])


def test_a_missing_input_is_named() -> None:
    with pytest.raises(InvalidError, match=r"input 'x' is missing; the request has \['y'\]"):
        to_features({"y": np.zeros(1)}, SPECS[:1])
