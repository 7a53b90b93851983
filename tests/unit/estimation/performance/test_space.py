from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.errors import InvalidError
from sidecar.estimation.performance.space import Constraint, Option, OptionKind, Space
from tests.support.performance_system import CONSTRAINED, SPACE


def test_codes_and_configurations_are_each_others_inverse() -> None:
    for codes in SPACE.every()[::7]:
        assert (SPACE.code(SPACE.configuration(codes)) == codes).all()


def test_what_is_not_named_is_at_its_default() -> None:
    assert SPACE.configuration(SPACE.code({"threads": 4})) == {**SPACE.defaults, "threads": 4}


def test_a_number_between_the_listed_ones_is_a_value() -> None:
    codes = SPACE.code({"batch": 7, "share": 0.3})
    assert SPACE.configuration(codes)["batch"] == 7
    assert SPACE.configuration(codes)["share"] == 0.3


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ({"threds": 4}, "there is no option 'threds': use one of threads"),
        ({"mode": "fast"}, "'mode' has no value 'fast': use one of 'plain', 'fused', 'eager'"),
        ({"threads": 9}, "'threads' has no value 9: use a number from 1 to 8"),
        ({"threads": "many"}, "'threads' has no value 'many'"),
        ({"share": float("nan")}, "'share' has no value nan"),
        (
            {"mode": "eager"},
            "breaks the constraint 'where mode is 'eager', level is 'none''",
        ),
    ],
)
def test_a_wrong_configuration_is_named(configuration: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidError, match=message):
        CONSTRAINED.code(configuration)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: Option("a", OptionKind.CATEGORICAL, (), 1), "list at least one"),
        (lambda: Option("a", OptionKind.CATEGORICAL, (1, 1), 1), "each value once"),
        (lambda: Option("a", OptionKind.LOG, (0, 1), 0), "finite numbers above 0, ascending"),
        (lambda: Option("a", OptionKind.NUMERIC, (2, 1), 1), "ascending"),
        (lambda: Option("a", OptionKind.NUMERIC, ("x",), "x"), "finite numbers"),
        (lambda: Option("a", OptionKind.ORDINAL, ("x",), "y"), "default 'y', which is not one of its values"),
        (lambda: Space(()), "no option"),
        (lambda: Space((SPACE.options[0], SPACE.options[0])), "two options named 'threads'"),
        (lambda: Space(SPACE.options, (Constraint({"mode": ("no",)}, {}),)), "no value 'no'"),
        (lambda: Space(SPACE.options, (Constraint({}, {"level": ("none",)}),)), "level is 'none'"),
    ],
)
def test_a_wrong_space_is_named(made: object, message: str) -> None:
    with pytest.raises(InvalidError, match=message):
        made()  # type: ignore[operator]  # a constructor


def test_every_configuration_keeps_the_constraints() -> None:
    free, bound = len(SPACE.every()), CONSTRAINED.every()
    assert free == SPACE.size == 4 * 3 * 4 * 3 * 3
    assert len(bound) == free - free // 3 * 2 // 3
    for codes in bound[::5]:
        CONSTRAINED.code(CONSTRAINED.configuration(codes))


@given(count=st.integers(1, 40), seed=st.integers(0, 5), large=st.booleans())
def test_drawn_configurations_are_different_and_allowed(*, count: int, seed: int, large: bool) -> None:
    more = tuple(Option(f"x{n}", OptionKind.ORDINAL, (1, 2, 3, 4), 1) for n in range(4))
    space = Space((*SPACE.options, *more), CONSTRAINED.constraints) if large else CONSTRAINED
    codes = space.draw(count, np.random.default_rng(seed))
    assert len(np.unique(codes, axis=0)) == count
    for row in codes:
        space.code(space.configuration(row))


def test_drawing_from_an_exhausted_space_returns_all_of_it() -> None:
    space = Space(SPACE.options[:2])
    assert len(space.draw(100, np.random.default_rng(0))) == 12


def test_any_two_different_values_of_a_category_are_at_distance_one() -> None:
    space = Space((SPACE.options[1],))
    features = space.features(space.every())
    distances = np.linalg.norm(features[:, None] - features, axis=2)
    assert distances == pytest.approx(1 - np.eye(3))


def test_ratios_of_a_log_option_are_equal_steps() -> None:
    space = Space((SPACE.options[0],))
    assert space.features(space.every())[:, 0] == pytest.approx([0, 1 / 3, 2 / 3, 1])


def test_features_know_their_option() -> None:
    assert SPACE.groups.tolist() == [0, 1, 1, 1, 2, 3, 4]
    assert SPACE.features(SPACE.every()).shape == (SPACE.size, 7)
