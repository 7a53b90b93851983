"""What a model answers on labelled rows: confusion, confidence, calibration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import numpy as np

from sidecar.domain.answers import class_probabilities
from sidecar.domain.errors import InvalidError
from sidecar.domain.profile import Validation
from sidecar.domain.tensors import Array, Floats, TensorSpec
from sidecar.profiles.data import Rows
from sidecar.profiles.labels import class_index

CONFIDENCE_QUANTILES: Final = 101
CALIBRATION_BINS: Final = 15


# Another order of the classes that makes so many times more answers right is no accident.
_ORDER_FACTOR: Final = 2


class Answers(Protocol):
    """A model, as profiles see it; `sidecar.shadow.onnx.OnnxModel` is one."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """In the model's order, without the item axis."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The same."""

    @property
    def sha256(self) -> str:
        """Of the model file."""

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Answers items: arrays by input name to arrays by output name."""


def validate(
    model: Answers, rows: Rows, output: str, names: Sequence[str], progress: Callable[[int], None]
) -> Validation:
    """Asks the model about every row and compares with the labels; keeps 8 bytes a row meanwhile.

    Raises:
        InvalidError: the rows have no labels or an unknown one, or the model fails on them.
    """
    confusion = np.zeros((len(names), len(names)), dtype=np.int64)
    bins = np.zeros((CALIBRATION_BINS, 3))
    confidences = []
    first = 1
    for inputs, labels in rows:
        if labels is None:
            raise unlabelled(rows)
        truth = _class_indices(labels, names, str(rows.path), first)
        probabilities = answer(model, inputs, output, f"{rows.path}, from data row {first}")
        if probabilities.shape[1] != len(names):
            raise InvalidError(
                f"{rows.path}: the output has {probabilities.shape[1]} columns here, {len(names)} before"
            )
        answered, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
        np.add.at(confusion, (truth, answered), 1)
        bin_of = np.minimum((confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
        np.add.at(bins, bin_of, np.stack([np.ones_like(confidence), confidence, truth == answered], axis=1))
        confidences.append(confidence)
        first += len(labels)
        progress(len(labels))
    _check_order(confusion, names, str(rows.path))
    bins[:, 1:] /= np.maximum(bins[:, :1], 1)
    return Validation(
        rows=first - 1,
        confusion=confusion,
        confidence_quantiles=np.quantile(
            np.concatenate(confidences), np.linspace(0, 1, CONFIDENCE_QUANTILES)
        ),
        calibration=bins,
    )


def _check_order(confusion: Array, names: Sequence[str], where: str) -> None:
    """Refuses class names that stand in another order than the model's output has."""
    place = confusion.argmax(axis=0)
    if sorted(place) != list(range(len(names))) or not confusion.any(axis=0).all():
        return
    total = confusion.sum()
    given, other = confusion.trace() / total, confusion[place, np.arange(len(names))].sum() / total
    if other > _ORDER_FACTOR * given:
        order = ",".join(names[index] for index in place)
        raise InvalidError(
            f"{where}: {given:.1%} of the answers are right, and {other:.1%} would be with the classes in "
            f"another order: name them as the model's output has them, --classes {order}"
        )


def unlabelled(rows: Rows) -> InvalidError:
    """The error for validation rows without labels."""
    return InvalidError(f"{rows.path}: validation rows need labels: name their column with --label")


def answer(model: Answers, inputs: Mapping[str, Array], output: str, where: str) -> Floats:
    """A model's class probabilities, float64 [items, classes].

    Raises:
        InvalidError: the model fails, or the output holds no class probabilities.
    """
    try:
        return class_probabilities(model.run(inputs)[output])
    except InvalidError as error:
        raise InvalidError(f"{where}: output {output!r}: {error}") from error


def _class_indices(labels: Array, names: Sequence[str], where: str, first: int) -> Array:
    distinct, firsts, places = np.unique(labels, return_index=True, return_inverse=True)
    indices = [
        class_index(
            label if isinstance(label, str) else int(label), names, f"{where}, data row {first + place}"
        )
        for label, place in zip(distinct, firsts, strict=True)
    ]
    return np.array(indices)[places]
