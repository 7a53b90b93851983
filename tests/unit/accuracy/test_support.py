from __future__ import annotations

import numpy as np
import pytest

from sidecar.accuracy.support import SUPPORTED, support
from sidecar.domain.evidence import Evidence
from tests.unit.measures.made_evidence import evidence, profile

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
