"""What a model answers on labelled rows: confusion, confidence, calibration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import numpy as np

from sidecar.core.answers import ClassKind, class_probabilities, output_kind
from sidecar.core.errors import InvalidError
from sidecar.core.profile import Validation
from sidecar.core.tensors import Array, Floats, TensorSpec
from sidecar.tools.profiles.data import Rows
from sidecar.tools.profiles.labels import class_index

CONFIDENCE_QUANTILES: Final = 101
CALIBRATION_BINS: Final = 15


# Another order of the classes that makes so many times more answers right is no accident.
_ORDER_FACTOR: Final = 2


class Answers(Protocol):
    """A model, as profiles see it; `sidecar.inference.onnx.OnnxModel` is one."""

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


class _Tally:
    """Counts answers on labelled rows; keeps 8 bytes a row."""

    def __init__(self, classes: int) -> None:
        self._confusion = np.zeros((classes, classes), dtype=np.int64)
        self._bins = np.zeros((CALIBRATION_BINS, 3))
        self._confidences: list[Floats] = []

    def add(self, truth: Array, probabilities: Floats) -> None:
        """Adds rows: true class indices [rows], probabilities [rows, classes]."""
        answered, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
        np.add.at(self._confusion, (truth, answered), 1)
        bin_of = np.minimum((confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
        scores = np.stack([np.ones_like(confidence), confidence, truth == answered], axis=1)
        np.add.at(self._bins, bin_of, scores)
        self._confidences.append(confidence)

    def result(self) -> Validation:
        """What was counted."""
        bins = self._bins.copy()
        bins[:, 1:] /= np.maximum(bins[:, :1], 1)
        confidences = np.concatenate(self._confidences)
        return Validation(
            rows=len(confidences),
            confusion=self._confusion,
            confidence_quantiles=np.quantile(confidences, np.linspace(0, 1, CONFIDENCE_QUANTILES)),
            calibration=bins,
        )


def validate(
    model: Answers, rows: Rows, output: str, names: Sequence[str], progress: Callable[[int], None]
) -> tuple[ClassKind, Validation]:
    """Asks the model about every row and compares with the labels; keeps 16 bytes a row meanwhile.

    Raises:
        InvalidError: the rows have no labels or an unknown one, or the model fails on them.
    """
    # What the output holds is known at the end: both readings are counted while both are possible.
    tallies: dict[ClassKind, _Tally] = {
        "probabilities": _Tally(len(names)),
        "logits": _Tally(len(names)),
    }
    first = 1
    for inputs, labels in rows:
        if labels is None:
            raise unlabelled(rows)
        truth = _class_indices(labels, names, str(rows.path), first)
        raw, found = answer(model, inputs, output, f"{rows.path}, from data row {first}")
        if found == "logits":
            tallies.pop("probabilities", None)
        for kind, tally in tallies.items():
            probabilities = class_probabilities(raw, kind)
            if probabilities.shape[1] != len(names):
                raise InvalidError(
                    f"{rows.path}: the output has {probabilities.shape[1]} columns here, {len(names)} before"
                )
            tally.add(truth, probabilities)
        first += len(labels)
        progress(len(labels))
    kind, tally = next(iter(tallies.items()))
    validation = tally.result()
    _check_order(validation.confusion, names, str(rows.path))
    return kind, validation


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


def answer(model: Answers, inputs: Mapping[str, Array], output: str, where: str) -> tuple[Array, ClassKind]:
    """A model's output, and what it holds as far as these rows tell.

    Raises:
        InvalidError: the model fails, or the output holds no class probabilities.
    """
    try:
        found = model.run(inputs)[output]
        return found, output_kind(found)
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
