from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import logsumexp

from sidecar.core.answers import logit_energies
from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Floats


@given(arrays(np.float64, (5, 4), elements=st.floats(-1e6, 1e6)))
def test_the_energy_is_scipys_logsumexp(logits: Floats) -> None:
    np.testing.assert_allclose(logit_energies(logits), logsumexp(logits, axis=1), rtol=1e-12, atol=1e-12)


@given(arrays(np.float64, (5, 3), elements=st.floats(-50, 50)), st.floats(0, 50))
def test_a_number_added_to_all_logits_is_added_to_the_energy(logits: Floats, more: float) -> None:
    np.testing.assert_allclose(logit_energies(logits + more), logit_energies(logits) + more, atol=1e-9)


def test_a_single_logit_stands_beside_a_first_of_nothing() -> None:
    np.testing.assert_allclose(logit_energies(np.array([0.0, 3.0])), np.log1p(np.exp([0.0, 3.0])))


def test_logits_that_are_not_finite_are_refused_with_their_item() -> None:
    with pytest.raises(InvalidError, match="item 1"):
        logit_energies(np.array([[0.0, 1.0], [np.inf, 0.0]]))
