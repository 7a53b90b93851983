"""The kinds of models that every domain trains, exported to ONNX."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from benchmarks.selection.corpus import Part

INPUT: Final = "items"
# Categories rarer than this share a column's "unknown": words of a language would make thousands of columns.
_LEAST_FREQUENT: Final = 3

# A seed, and the text columns of a table: all others are numbers.
Family = Callable[[int, Sequence[int] | None], Any]


def numbers_of(texts: Sequence[int] | None, kept: Sequence[int] | None = None) -> Any:  # noqa: ANN401 - scikit-learn has no types
    """Standardises numbers; of a table with texts, these become one column a category.

    Args:
        texts: places of the text columns; None: all are numbers.
        kept: places of the columns that are looked at, where not all are.
    """
    if texts is None:
        return StandardScaler()
    encoded = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    seen = [place for place in texts if kept is None or place in kept]
    if kept is None:
        return ColumnTransformer([("texts", encoded, seen)], remainder=StandardScaler())
    numbers = [place for place in kept if place not in texts]
    parts = [("texts", encoded, seen), ("numbers", StandardScaler(), numbers)]
    return ColumnTransformer([part for part in parts if part[2]])


def _logistic(seed: int, texts: Sequence[int] | None) -> Any:  # noqa: ANN401 - the same
    return make_pipeline(numbers_of(texts), LogisticRegression(C=0.3, max_iter=200, random_state=seed))


def _trees(seed: int, texts: Sequence[int] | None) -> Any:  # noqa: ANN401 - the same
    trees = ExtraTreesClassifier(60, min_samples_leaf=2, random_state=seed)
    return trees if texts is None else make_pipeline(numbers_of(texts), trees)


def _network(seed: int, texts: Sequence[int] | None) -> Any:  # noqa: ANN401 - the same
    network = MLPClassifier((48,), alpha=0.1, max_iter=60, tol=1e-3, random_state=seed)
    return make_pipeline(numbers_of(texts), network)


def words(most: int = 3_000) -> Any:  # noqa: ANN401 - the same
    """The words of a text, weighed by how rare they are."""
    # Lower-casing in ONNX would need the locale en_US.UTF-8 where the model runs: the loaders did it.
    pattern = r"[^ ]+"
    return TfidfVectorizer(
        lowercase=False, token_pattern=pattern, max_features=most, min_df=2, sublinear_tf=True
    )


def _word_logistic(seed: int, _: Sequence[int] | None) -> Any:  # noqa: ANN401 - the same
    return make_pipeline(words(), LogisticRegression(C=3.0, max_iter=200, random_state=seed))


def _word_bayes(_: int, __: Sequence[int] | None) -> Any:  # noqa: ANN401 - the same
    return make_pipeline(words(), MultinomialNB(alpha=0.3))


def _word_trees(seed: int, _: Sequence[int] | None) -> Any:  # noqa: ANN401 - the same
    return make_pipeline(words(), ExtraTreesClassifier(40, min_samples_leaf=2, random_state=seed))


_NUMBERS: Final[dict[str, Family]] = {"logistic": _logistic, "trees": _trees, "network": _network}
_TEXT: Final[dict[str, Family]] = {"logistic": _word_logistic, "trees": _word_trees, "bayes": _word_bayes}


def families(part: Part) -> dict[str, Family]:
    """The families that take items of this kind, by name."""
    return _TEXT if part.is_text else _NUMBERS


def train(family: Family, part: Part, columns: Sequence[str], path: Path, seed: int) -> tuple[str, ...]:
    """Trains a model and writes it; returns its classes in the order of its output."""
    classes, labels = np.unique(part.labels.astype(str), return_inverse=True)
    model = fitted(family(seed, part.text_columns), part, labels)
    path.write_bytes(exported(model, part, columns))
    return tuple(classes.tolist())


def fitted(model: Any, part: Part, labels: Any) -> Any:  # noqa: ANN401 - scikit-learn has no types
    """Trains; one that could have been trained for longer is a candidate like any other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(_rare_joined(part), labels)


def exported(model: Any, part: Part, columns: Sequence[str]) -> bytes:  # noqa: ANN401 - the same
    """The model as ONNX: one input, or one a column where some are text."""
    texts = part.text_columns
    if part.is_text:
        kinds = [(INPUT, StringTensorType([None, 1]))]
    elif texts is None:
        kinds = [(INPUT, FloatTensorType([None, part.items.shape[1]]))]
    else:
        kinds = [
            (name, (StringTensorType if place in texts else FloatTensorType)([None, 1]))
            for place, name in enumerate(columns)
        ]
    onnx = to_onnx(model, initial_types=kinds, options={"zipmap": False})
    return bytes(onnx.SerializeToString())


def _rare_joined(part: Part) -> Any:  # noqa: ANN401 - an array
    """The items, where a text column's rare categories are as unknown as those that never came."""
    if part.is_text or part.text_columns is None:
        return part.items
    items = part.items.copy()
    for place in part.text_columns:
        names, where, counts = np.unique(items[:, place].astype(str), return_inverse=True, return_counts=True)
        names = np.where(counts >= _LEAST_FREQUENT, names, "").astype(np.object_)
        items[:, place] = names[where]
    return items
