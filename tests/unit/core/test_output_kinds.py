from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit, softmax

from sidecar.core.answers import class_probabilities, output_kind
from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array, Floats

LOGITS = arrays(np.float64, (5, 4), elements=st.floats(-50, 50))


def bfloat16(values: Floats) -> Array:
    """Rounds to BF16 as servers do, widened to float32 again."""
    bits = values.astype(np.float32).view(np.uint32) + np.uint32(1 << 15)
    return (bits & np.uint32(0xFFFF0000)).view(np.float32)


@given(LOGITS)
def test_logits_go_through_a_softmax(logits: Floats) -> None:
    expected = softmax(logits, axis=1)
    np.testing.assert_allclose(class_probabilities(logits, "logits"), expected, atol=1e-12)


@given(LOGITS)
def test_probabilities_stay_as_they_are(logits: Floats) -> None:
    shares = softmax(logits, axis=1)
    assert output_kind(shares) == "probabilities"
    np.testing.assert_allclose(class_probabilities(shares, "probabilities"), shares, atol=1e-12)


@pytest.mark.parametrize("classes", [2, 10, 1000])
@pytest.mark.parametrize("rounded", [bfloat16, lambda values: values.astype(np.float16)])
def test_half_precision_probabilities_are_probabilities(classes: int, rounded: type[Array]) -> None:
    shares = np.random.default_rng(0).dirichlet(np.full(classes, 0.2), 300)
    found = rounded(shares)
    assert output_kind(found) == "probabilities"
    np.testing.assert_allclose(class_probabilities(found, "probabilities"), shares, atol=0.01)


def test_one_item_decides_for_all() -> None:
    inside = np.array([[0.4, 0.6], [0.5, 0.5]])
    assert output_kind(inside) == "probabilities"
    assert output_kind(np.vstack([inside, [[0.5, 1.5]]])) == "logits"
    assert output_kind(np.vstack([inside, [[-0.5, 1.5]]])) == "logits"


def test_a_batch_that_looks_like_probabilities_is_read_as_the_logits_it_was_said_to_be() -> None:
    looks = np.array([[0.25, 0.75]])
    np.testing.assert_allclose(class_probabilities(looks, "logits"), softmax(looks, axis=1))


def test_a_single_column_is_the_second_of_two_classes() -> None:
    column = np.array([0.2, 1.0, 0.0])
    expected = np.stack([1 - column, column], axis=1)
    assert output_kind(column) == "probabilities"
    np.testing.assert_allclose(class_probabilities(column[:, None], "probabilities"), expected)
    logits = np.array([-3.0, 0.5, 900.0])
    assert output_kind(logits) == "logits"
    np.testing.assert_allclose(class_probabilities(logits, "logits")[:, 1], expit(logits))


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ([[0.5, 0.5], [0.5, 0.6]], "no distribution at item 1.*sum to 1.1.*rebuild the profile"),
        ([[-0.5, 1.5]], "no distribution at item 0: its values reach from -0.5 to 1.5"),
        ([[0.5], [1.5]], "no distribution at item 1"),
    ],
)
def test_what_is_no_distribution_where_one_was_promised_is_refused(output: object, message: str) -> None:
    with pytest.raises(InvalidError, match=message):
        class_probabilities(np.array(output), "probabilities")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_with_the_item(value: float) -> None:
    output = np.array([[0.5, 0.5], [0.5, value]])
    for read in (output_kind, lambda array: class_probabilities(array, "logits")):
        with pytest.raises(InvalidError, match="not finite at item 1"):
            read(output)


@pytest.mark.parametrize("output", [np.zeros((2, 2, 2)), np.array([["a"]], dtype=object), np.array(1.0)])
def test_what_has_no_class_axis_is_refused(output: Array) -> None:
    with pytest.raises(InvalidError, match="no class axis"):
        output_kind(output)
