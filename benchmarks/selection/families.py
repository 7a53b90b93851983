"""The kinds of models that every domain trains, exported to ONNX."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.selection.corpus import Part

INPUT: Final = "items"

Family = Callable[[int], Any]


def _logistic(seed: int) -> Any:  # noqa: ANN401 - scikit-learn has no types
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=200, random_state=seed))


def _trees(seed: int) -> Any:  # noqa: ANN401 - the same
    return ExtraTreesClassifier(60, min_samples_leaf=2, random_state=seed)


def _network(seed: int) -> Any:  # noqa: ANN401 - the same
    network = MLPClassifier((48,), alpha=0.1, max_iter=60, tol=1e-3, random_state=seed)
    return make_pipeline(StandardScaler(), network)


def _words() -> Any:  # noqa: ANN401 - the same
    # Lower-casing in ONNX would need the locale en_US.UTF-8 where the model runs: the loaders did it.
    pattern = r"[^ ]+"
    return TfidfVectorizer(
        lowercase=False, token_pattern=pattern, max_features=3_000, min_df=2, sublinear_tf=True
    )


def _word_logistic(seed: int) -> Any:  # noqa: ANN401 - the same
    return make_pipeline(_words(), LogisticRegression(C=3.0, max_iter=200, random_state=seed))


def _word_bayes(_: int) -> Any:  # noqa: ANN401 - the same
    return make_pipeline(_words(), MultinomialNB(alpha=0.3))


def _word_trees(seed: int) -> Any:  # noqa: ANN401 - the same
    return make_pipeline(_words(), ExtraTreesClassifier(40, min_samples_leaf=2, random_state=seed))


_NUMBERS: Final[dict[str, Family]] = {"logistic": _logistic, "trees": _trees, "network": _network}
_TEXT: Final[dict[str, Family]] = {"logistic": _word_logistic, "trees": _word_trees, "bayes": _word_bayes}


def families(part: Part) -> dict[str, Family]:
    """The families that take items of this kind, by name."""
    return _TEXT if part.items.dtype == np.object_ else _NUMBERS


def train(family: Family, part: Part, path: Path, seed: int) -> tuple[str, ...]:
    """Trains a model and writes it; returns its classes in the order of its output."""
    classes, labels = np.unique(part.labels.astype(str), return_inverse=True)
    text = part.items.dtype == np.object_
    with warnings.catch_warnings():
        # A model that could have been trained for longer is a candidate like any other.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = family(seed).fit(part.items, labels)
    kind = StringTensorType([None, 1]) if text else FloatTensorType([None, part.items.shape[1]])
    onnx = to_onnx(model, initial_types=[(INPUT, kind)], options={"zipmap": False})
    path.write_bytes(onnx.SerializeToString())
    return tuple(classes.tolist())
