import numpy as np
import pytest

from sidecar.core.class_shares import FEW_CLASSES
from sidecar.scoring.endpoint.answer_ring import AnswerRing


def test_an_answer_leaves_with_its_item() -> None:
    answers = AnswerRing(4, 2)
    answers.put(0, np.tile([0.25, 0.75], (3, 1)))
    assert answers.has(np.arange(5)).tolist() == [True, True, True, False, False]
    answers.put(3, np.tile([1.0, 0.0], (2, 1)))
    assert answers.has(np.arange(5)).tolist() == [False, True, True, True, True]
    assert answers.of(np.array([2, 3])).tolist() == [[0.25, 0.75], [1, 0]]


def test_rows_sum_to_one_in_double_precision() -> None:
    answers = AnswerRing(8, 3)
    answers.put(0, np.random.default_rng(0).dirichlet([1, 1, 1], 8))
    np.testing.assert_allclose(answers.of(np.arange(8)).sum(axis=1), 1, atol=1e-15)


def test_energies_are_kept_beside_the_answers() -> None:
    answers = AnswerRing(4, 2)
    answers.put(2, np.tile([0.5, 0.5], (3, 1)), np.array([1.5, -2.0, 1e300]))
    assert answers.logit_energies(np.array([4, 2])).tolist() == [1e300, 1.5]


MANY = FEW_CLASSES + 6
NAMES = tuple(f"c{number}" for number in range(MANY))


@pytest.mark.parametrize("classes", [3, MANY])
def test_shares_in_another_label_space_are_what_was_put(classes: int) -> None:
    put = np.random.default_rng(1).dirichlet(np.ones(classes), 6)
    answers = AnswerRing(4, classes)
    answers.put(0, put)
    space = (*reversed(NAMES[:classes]), "more")
    shares = answers.shares(np.arange(2, 6), NAMES[:classes], space)
    expected = np.concatenate([put[2:, ::-1], np.zeros((4, 1))], axis=1)
    assert shares.read() == pytest.approx(expected, rel=1e-6)
    assert shares.where(np.array([3, 1])).read() == pytest.approx(expected[[3, 1]], rel=1e-6)
    assert shares.read().dtype == (np.float64 if classes == 3 else np.float32)
    assert (answers.votes(np.arange(2, 6)) == put[2:].argmax(axis=1)).all()


def test_answers_over_many_classes_that_changed_under_a_round_are_refused() -> None:
    answers = AnswerRing(4, MANY)
    answers.put(0, np.full((4, MANY), 1 / MANY))
    shares = answers.shares(np.arange(4), NAMES, NAMES)
    answers.put(4, np.full((1, MANY), 1 / MANY))
    with pytest.raises(RuntimeError, match="make the evidence anew"):
        shares.read()
