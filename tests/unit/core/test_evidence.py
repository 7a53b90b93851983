from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sidecar.core.errors import InvalidError
from sidecar.core.evidence import Evidence
from tests.support.made_evidence import evidence, profile

ROWS = np.random.default_rng(0).normal(size=(300, 2))
SHARES = np.random.default_rng(1).dirichlet(np.ones(2), size=(2, 8))
KNOWN = evidence([profile(ROWS), profile(ROWS + 1)], ROWS, SHARES)


def bare(probabilities: np.ndarray, **parts: object) -> Evidence:
    nothing = (None,) * len(probabilities)
    made = Evidence(nothing, nothing, nothing, ("a", "b"), probabilities)
    return dataclasses.replace(made, **parts)  # type: ignore[arg-type]


def test_some_candidates_keep_what_is_theirs_in_the_order_asked() -> None:
    energies = (np.arange(8.0), None)
    found = dataclasses.replace(KNOWN, energies=energies).of([1, 0])
    assert found.profiles == KNOWN.profiles[::-1]
    assert found.targets == KNOWN.targets[::-1]
    assert found.thresholds == KNOWN.thresholds[::-1]
    assert found.energies == energies[::-1]
    assert (found.votes == SHARES[::-1].argmax(axis=2)).all()
    assert KNOWN.of([1]).energies == ()


def test_some_items_keep_their_answers_and_energies_and_have_their_own_targets() -> None:
    items = np.arange(8) % 3 == 0
    found = dataclasses.replace(KNOWN, energies=(np.arange(8.0), None)).where(items, (None, KNOWN.targets[1]))
    assert (np.stack(list(found.probabilities)) == SHARES[:, [0, 3, 6]]).all()
    assert found.targets == (None, KNOWN.targets[1])
    assert found.profiles == KNOWN.profiles
    kept, unknown = found.energies
    assert kept is not None
    assert (kept.tolist(), unknown) == ([0, 3, 6], None)
    assert KNOWN.where(items, KNOWN.targets).energies == ()


def test_a_probability_that_is_not_finite_is_refused_with_its_place() -> None:
    for value in (np.nan, np.inf):
        broken = SHARES.copy()
        broken[1, 3, 0] = value
        with pytest.raises(InvalidError, match="candidate 1 to item 3"):
            bare(broken)


@pytest.mark.parametrize("energies", [np.full(8, np.inf), np.zeros(7)])
def test_energies_that_are_not_finite_or_too_few_are_refused(energies: np.ndarray) -> None:
    with pytest.raises(InvalidError, match="candidate 0 are not 8"):
        bare(SHARES, energies=(energies, None))


@pytest.mark.parametrize("parts", [{"labels": ("a",)}, {"profiles": ()}, {"energies": (None,)}])
def test_parts_of_different_sizes_are_refused(parts: dict[str, object]) -> None:
    with pytest.raises(InvalidError, match="the sizes differ"):
        bare(SHARES, **parts)


def test_what_a_candidate_lacks_is_said_with_its_number() -> None:
    with pytest.raises(InvalidError, match="candidate 0 has no profile"):
        _ = bare(SHARES).sources
    with pytest.raises(InvalidError, match="candidate 0 has no thresholds"):
        _ = bare(SHARES).limits
    with pytest.raises(InvalidError, match="candidate 0 has no validation"):
        _ = KNOWN.validations


def test_candidates_without_classes_have_no_votes() -> None:
    with pytest.raises(InvalidError, match="give no classes"):
        _ = dataclasses.replace(KNOWN, labels=(), probabilities=SHARES[:, :, :0]).votes
