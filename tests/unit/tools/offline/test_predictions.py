"""Rankings of candidates that are known by their hard predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sidecar.core.errors import InvalidError
from sidecar.tools.offline.predictions import Predictions, prediction_sets, rank_predictions, read_predictions

ITEMS = 400


@pytest.fixture
def pool() -> dict[str, np.ndarray]:
    """Three classes; candidate 0 errs in 10 %, 1 in 30 %, 2 in 50 % of the items."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, ITEMS)
    wrong = rng.random((ITEMS, 3)) < [0.1, 0.3, 0.5]
    answers = np.where(wrong, (truth[:, None] + rng.integers(1, 3, (ITEMS, 3))) % 3, truth[:, None])
    return {"live|predictions": answers, "live|labels": truth[:, None]}


def saved(folder: Path, **arrays: np.ndarray) -> Path:
    path = folder / "pool.npz"
    np.savez(path, allow_pickle=False, **arrays)
    return path


def test_candidates_are_ranked_by_their_predictions(tmp_path: Path, pool: dict[str, np.ndarray]) -> None:
    read = read_predictions(saved(tmp_path, **pool))
    ranking = rank_predictions(read)
    assert [one.name for one in ranking.candidates] == ["model-0", "model-1", "model-2"]
    assert all(one.accuracy for one in ranking.candidates)
    assert ranking.items == ITEMS
    assert read.truth is None


def test_the_order_of_the_columns_changes_nothing(tmp_path: Path, pool: dict[str, np.ndarray]) -> None:
    names = np.array(["good", "fair", "poor"])
    order = [2, 0, 1]
    given = rank_predictions(read_predictions(saved(tmp_path, models=names, **pool)))
    pool["live|predictions"] = pool["live|predictions"][:, order]
    assert rank_predictions(read_predictions(saved(tmp_path, models=names[order], **pool))) == given


def test_numbers_names_and_labels_of_two_axes_say_the_same(
    tmp_path: Path, pool: dict[str, np.ndarray]
) -> None:
    names = np.array(["cat", "dog", "owl"])
    by_number = read_predictions(saved(tmp_path, classes=names, **pool), label="live|labels")
    named = {key: names[value] for key, value in pool.items()}
    named["live|labels"] = named["live|labels"][:, 0]
    by_name = read_predictions(saved(tmp_path, **named), label="live|labels")
    assert by_number.classes == by_name.classes == ("cat", "dog", "owl")
    np.testing.assert_array_equal(by_number.answers, by_name.answers)
    assert by_name.truth is not None
    np.testing.assert_array_equal(by_number.truth, by_name.truth)
    np.testing.assert_array_equal(by_name.evidence().votes, pool["live|predictions"].T)


def test_a_true_class_that_nobody_answers_is_no_class(tmp_path: Path) -> None:
    path = saved(tmp_path, predictions=np.array([[4, 4], [7, 4]]), truth=np.array([7, 9]))
    read = read_predictions(path, label="truth")
    assert read.classes == ("4", "7")
    assert read.truth is not None
    assert read.truth.tolist() == [1, -1]


def test_a_number_without_a_class_is_no_usable_answer(tmp_path: Path) -> None:
    answers = np.array([[0, 2, 1], [1, 1, -1], [0, 0, 0]])
    path = saved(tmp_path, predictions=answers, truth=np.array([0, 1, -1]), classes=np.array(["no", "yes"]))
    read = read_predictions(path, label="truth")
    assert read.classes == ("no", "yes", "no usable answer")
    assert read.answers.tolist() == [[0, 2, 1], [1, 1, 2], [0, 0, 0]]
    assert read.truth is not None
    assert read.truth.tolist() == [0, 1, -1]
    assert read.evidence().unusable == 2


def test_items_are_taken_with_their_truth() -> None:
    read = Predictions(("a", "b"), ("x", "y"), np.array([[0, 1], [1, 1], [0, 0]]), np.array([0, 1, -1]))
    taken = read.take(np.array([2, 0]))
    assert taken.answers.tolist() == [[0, 0], [0, 1]]
    assert taken.truth is not None
    assert taken.truth.tolist() == [-1, 0]


def test_several_sets_are_listed_and_one_is_chosen(tmp_path: Path, pool: dict[str, np.ndarray]) -> None:
    path = saved(tmp_path, **pool, **{"old|predictions": pool["live|predictions"][:, :2]})
    assert prediction_sets(path) == ("live|predictions", "old|predictions")
    with pytest.raises(InvalidError, match=r"2 arrays .* old\|predictions.*--features"):
        read_predictions(path)
    assert len(read_predictions(path, predictions="old|predictions").names) == 2


ANSWERS = np.array([[0, 1], [1, 1]])


@pytest.mark.parametrize(
    ("arrays", "label", "said"),
    [
        ({"answers": ANSWERS}, None, "0 arrays are named"),
        ({"predictions": ANSWERS[0]}, None, r"shape \[2\]: give predictions"),
        ({"predictions": ANSWERS * 0.5}, None, "float64; give class"),
        ({"predictions": ANSWERS}, "labels", "no array 'labels'"),
        ({"predictions": ANSWERS, "labels": np.array([1])}, "labels", "give one label an item"),
        ({"predictions": ANSWERS, "models": np.array(["a", "a"])}, None, "name each candidate once"),
        ({"predictions": ANSWERS, "models": np.array(["a", "b", "b"])}, None, "name each candidate once"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], label: str | None, said: str
) -> None:
    with pytest.raises(InvalidError, match=said):
        read_predictions(saved(tmp_path, **arrays), label=label)


def test_what_is_no_npz_or_needs_pickle_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "pool.npz"
    text.write_text("no archive")
    array = tmp_path / "one.npy"
    np.save(array, ANSWERS)
    objects = tmp_path / "objects.npz"
    np.savez(objects, predictions=ANSWERS.astype(object))
    for path in (text, array, objects, tmp_path / "nowhere.npz"):
        with pytest.raises(InvalidError, match=path.name):
            read_predictions(path)
