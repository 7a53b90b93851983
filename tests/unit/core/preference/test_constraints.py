from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.errors import InvalidError
from sidecar.core.preference.constraints import Constraint, check_constraints, probability_kept


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("latency_p99_s <= 0.05", Constraint("latency_p99_s", at_most=0.05)),
        (" accuracy>=.9 ", Constraint("accuracy", at_least=0.9)),
        ("memory_bytes <= 1e9", Constraint("memory_bytes", at_most=1e9)),
    ],
)
def test_constraints_are_read_as_they_are_written(text: str, wanted: Constraint) -> None:
    assert Constraint.parse(text) == wanted
    assert Constraint.parse(str(wanted)) == wanted


@pytest.mark.parametrize(
    "text", ["", "latency", "latency < 1", "latency <= fast", "<= 1", "a <= nan", "a <= 1 s"]
)
def test_what_is_no_constraint_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="write it like"):
        Constraint.parse(text)


@pytest.mark.parametrize("text", ["a <= inf", "a >= -inf"])
def test_a_limit_is_finite(text: str) -> None:
    with pytest.raises(InvalidError, match="give a number"):
        Constraint.parse(text)


@pytest.mark.parametrize("probability", [0.0, 1.0, np.nan])
def test_a_probability_lies_between_0_and_1(probability: float) -> None:
    with pytest.raises(InvalidError, match="constraint a <= 1: its probability"):
        Constraint.parse("a <= 1", probability)


def test_limits_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(InvalidError, match=">= 2 and <= 1 contradict"):
        Constraint("a", at_least=2, at_most=1)
    with pytest.raises(InvalidError, match="give a number"):
        Constraint("a")
    both = [Constraint.parse("a >= 2"), Constraint.parse("a <= 1")]
    with pytest.raises(InvalidError, match="constraint a <= 1: a lies between 2 and inf"):
        check_constraints(both, ["a"], {})


def test_what_lies_outside_of_the_possible_is_refused() -> None:
    with pytest.raises(InvalidError, match=r"accuracy >= 1\.2: accuracy lies between 0 and 1"):
        check_constraints([Constraint.parse("accuracy >= 1.2")], ["accuracy"], {"accuracy": (0, 1)})
    with pytest.raises(InvalidError, match="there is no objective 'c': use one of a, b"):
        check_constraints([Constraint.parse("c <= 1")], ["a", "b"], {})
    check_constraints(
        [Constraint.parse("accuracy >= 1"), Constraint("b", 2, 2)], ["accuracy", "b"], {"accuracy": (0, 1)}
    )


@given(st.integers(0, 2**32 - 1), st.floats(-2, 2), st.floats(0, 2))
def test_the_probability_is_the_share_of_draws_within_the_limits(seed: int, low: float, width: float) -> None:
    draws = np.random.default_rng(seed).normal(0, 1, (50, 3, 2))
    limits = [Constraint("b", at_least=low, at_most=low + width), Constraint("a", at_most=low)]
    found = probability_kept(limits, ["a", "b"], draws)
    for candidate in range(3):
        inside = [low <= value <= low + width for value in draws[:, candidate, 1]]
        under = [value <= low for value in draws[:, candidate, 0]]
        assert found[:, candidate] == pytest.approx([np.mean(inside), np.mean(under)])


def test_no_constraints_have_no_rows() -> None:
    assert probability_kept([], ["a"], np.ones((4, 3, 1))).shape == (0, 3)
