import numpy as np

from sidecar.scoring.endpoint.answers import Answers


def test_an_answer_leaves_with_its_item() -> None:
    answers = Answers(4, 2)
    answers.put(0, np.tile([0.25, 0.75], (3, 1)))
    assert answers.has(np.arange(5)).tolist() == [True, True, True, False, False]
    answers.put(3, np.tile([1.0, 0.0], (2, 1)))
    assert answers.has(np.arange(5)).tolist() == [False, True, True, True, True]
    assert answers.of(np.array([2, 3])).tolist() == [[0.25, 0.75], [1, 0]]


def test_rows_sum_to_one_in_double_precision() -> None:
    answers = Answers(8, 3)
    answers.put(0, np.random.default_rng(0).dirichlet([1, 1, 1], 8))
    np.testing.assert_allclose(answers.of(np.arange(8)).sum(axis=1), 1, atol=1e-15)


def test_energies_are_kept_beside_the_answers() -> None:
    answers = Answers(4, 2)
    answers.put(2, np.tile([0.5, 0.5], (3, 1)), np.array([1.5, -2.0, 1e300]))
    assert answers.energies(np.array([4, 2])).tolist() == [1e300, 1.5]
