from __future__ import annotations

import numpy as np
import pytest

from sidecar.core.evidence import Evidence
from sidecar.core.tensors import Array
from sidecar.estimation.accuracy.support import SUPPORTED, _trust, support
from tests.support.made_evidence import evidence, profile

RNG = np.random.default_rng(0)
TRAIN = RNG.normal(size=(2000, 4))
LIVE = RNG.normal(size=(1000, 4))


def of(*sources: float) -> Evidence:
    profiles = [profile(TRAIN + shift) for shift in sources]
    return evidence(profiles, LIVE, np.full((len(sources), 1000, 2), 0.5), "ab")


def test_traffic_like_the_source_fits_and_traffic_from_elsewhere_has_no_support() -> None:
    here, elsewhere = support(of(0, 20)).coverage
    assert here is not None
    assert here > 0.8
    assert elsewhere is not None
    assert elsewhere < SUPPORTED


def test_without_a_full_partition_support_is_unknown() -> None:
    few = evidence([profile(TRAIN)], LIVE[:10], np.full((1, 10, 2), 0.5), "ab")
    assert support(few).coverage == (None,)


def test_fresh_items_of_the_source_fit_and_moved_or_stretched_ones_do_not() -> None:
    assert support(of(0, 20, 0.6)).fits.tolist() == [True, False, False]
    stretched = evidence([profile(TRAIN)], LIVE * 2, np.full((1, 1000, 2), 0.5), "ab")
    assert support(stretched).fits.tolist() == [False]


def test_what_is_not_known_does_not_fit() -> None:
    few = evidence([profile(TRAIN)], LIVE[:10], np.full((1, 10, 2), 0.5), "ab")
    assert support(few).fits.tolist() == [False]


def test_support_falls_as_the_source_moves_away() -> None:
    known = [value for value in support(of(0, 0.5, 1, 5)).coverage if value is not None]
    assert known == pytest.approx(sorted(known, reverse=True))


def test_where_no_source_is_known_nothing_is_near_or_strange() -> None:
    answers = np.full((2, 10, 2), 0.5)
    found = support(Evidence((None,) * 2, (None,) * 2, (None,) * 2, ("a", "b"), answers))
    assert np.isinf(found.distances).all()
    assert not (found.fits | found.strange).any()
    assert support(of(0, 20)).strange.tolist() == [False, True]


def test_validation_is_trusted_where_candidates_agree_more_than_their_skills_alone_would_make_them() -> None:
    truth = RNG.integers(4, size=4000)
    shared = RNG.random(4000) < 0.6

    def votes(by_themselves: float) -> Array:
        """Three that are right where the first is, as far as they do not err by themselves."""
        own = RNG.random((3, 4000)) < by_themselves
        right = np.where(own, RNG.random((3, 4000)) < 0.6, shared)
        return np.where(right, truth, (truth + 1 + RNG.integers(3, size=(3, 4000))) % 4)

    skill = np.full(3, (0.6 - 0.25) / 0.75)
    assert _trust(votes(0.0), skill, 4) == 1
    assert _trust(votes(1.0), skill, 4) == pytest.approx(0, abs=0.2)
    assert _trust(RNG.integers(4, size=(3, 4000)), skill, 4) == 0
    assert _trust(votes(0.0), np.zeros(3), 4) == 0


def test_a_single_candidate_that_fits_is_contradicted_by_nobody() -> None:
    assert support(of(0, 20)).trust == 1
