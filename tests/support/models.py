"""Small real models for tests: scikit-learn's digits upright and rotated, and a text classifier."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import skl2onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.datasets import load_digits
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sidecar.core.tensors import Array


@dataclass(frozen=True, slots=True)
class DigitsModels:
    """Digit models and their data; images are float32 [rows, 64], 0..16.

    Attributes:
        paths: ONNX files: input X, FP32 [64]; outputs label and probabilities [10]. "upright" and
            "rotated" (by 90 degrees) by the domain they were trained on.
        train: training images of each model.
        validation: images of each model's domain that it was not trained on.
        train_labels: class indices of every `train`.
        validation_labels: class indices of every `validation`.
        classes: class names, the digits.
        estimators: the scikit-learn models behind the files.
    """

    paths: dict[str, Path]
    train: dict[str, Array]
    validation: dict[str, Array]
    train_labels: Array
    validation_labels: Array
    classes: tuple[str, ...]
    estimators: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TextModel:
    """A two-class text model: input text, BYTES [1]; output probabilities [2]."""

    path: Path
    texts: tuple[str, ...]
    labels: tuple[str, ...]


def make_digits_models(folder: Path) -> DigitsModels:
    """Trains and exports the digit models."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    upright = images[order].astype(np.float32)
    labels = labels[order].astype(np.int64)
    rotated = np.rot90(upright.reshape(-1, 8, 8), axes=(1, 2)).reshape(-1, 64).copy()
    paths, estimators, train, validation = {}, {}, {}, {}
    for name, domain in (("upright", upright), ("rotated", rotated)):
        train[name], validation[name] = domain[:1200], domain[1200:]
        estimators[name] = LogisticRegression(C=0.01, tol=1e-2, max_iter=1000).fit(train[name], labels[:1200])
        paths[name] = folder / f"{name}.onnx"
        export(estimators[name], [("X", FloatTensorType([None, 64]))], paths[name])
    return DigitsModels(
        paths, train, validation, labels[:1200], labels[1200:], tuple("0123456789"), estimators
    )


def make_text_model(folder: Path) -> TextModel:
    """Trains and exports the text model."""
    good = [f"good happy bright {word}" for word in ("day", "song", "film", "book")]
    bad = [f"bad gloomy dull {word}" for word in ("day", "song", "film", "book")]
    texts, labels = (*good, *bad), ("good",) * 4 + ("bad",) * 4
    model = make_pipeline(CountVectorizer(lowercase=False), LogisticRegression()).fit(texts, labels)
    path = folder / "text.onnx"
    export(model, [("text", StringTensorType([None, 1]))], path)
    return TextModel(path, texts, labels)


def export(estimator: Any, inputs: list[tuple[str, Any]], path: Path, **options: bool) -> None:  # noqa: ANN401 - scikit-learn has no types
    """Writes an estimator as ONNX, without ZipMap unless told so."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = skl2onnx.convert_sklearn(
            estimator, initial_types=inputs, options={id(estimator): {"zipmap": False} | options}
        )
    path.write_bytes(model.SerializeToString())
