from __future__ import annotations

import numpy as np

from benchmarks.performance_models.guided_sampling import worth_measuring
from tests.support.performance_system import SPACE, elsewhere


def test_guided_sampling_leaves_options_without_influence_at_their_defaults() -> None:
    codes = SPACE.every()
    chosen = codes[worth_measuring(elsewhere(), codes, 50, np.random.default_rng(0))]
    assert set(chosen[:, 4]) == {0.0}
    assert len(set(chosen[:, 2])) == 4
