from __future__ import annotations

import math

import numpy as np
import pytest

from sidecar.estimation.accuracy.nearness import nearness


def test_the_nearest_source_has_a_whole_vote_and_the_farthest_the_least() -> None:
    assert nearness(np.array([3.0, 0.1, 1.0])) == pytest.approx([math.exp(-1), 1, math.exp(-0.5)])


def test_a_candidate_of_unknown_source_stands_in_the_middle() -> None:
    assert nearness(np.array([np.inf, 0.1, 1.0])) == pytest.approx([math.exp(-0.5), 1, math.exp(-1)])


def test_where_no_source_is_known_all_votes_count_the_same() -> None:
    assert len(set(nearness(np.full(3, np.inf)).tolist())) == 1
