"""From the labels of a data file to class names and class indices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array, Floats

Label: TypeAlias = int | str

_MOST_LABELS: Final = 65_536


@dataclass(slots=True)
class LabelCounts:
    """How often each label was seen.

    Attributes:
        where: the file, for messages.
        counts: rows by label.
        first_rows: the first data row of each label, counted from 1.
    """

    where: str
    counts: dict[Label, int] = field(default_factory=dict)
    first_rows: dict[Label, int] = field(default_factory=dict)

    def add(self, labels: Array, first: int) -> None:
        """Adds a batch of labels whose first is data row `first`.

        Raises:
            InvalidError: more distinct labels than any class list has.
        """
        for label, place, count in zip(
            *np.unique(labels, return_index=True, return_counts=True), strict=True
        ):
            key: Label = label if isinstance(label, str) else int(label)
            self.counts[key] = self.counts.get(key, 0) + int(count)
            self.first_rows.setdefault(key, first + int(place))
        if len(self.counts) > _MOST_LABELS:
            raise InvalidError(
                f"{self.where}: more than {_MOST_LABELS} distinct labels: --label must name the class column"
            )


def check_named(chosen: Sequence[str], classes: int) -> None:
    """Refuses class names that are not as many as the output is wide, or not distinct.

    Raises:
        InvalidError: they are so.
    """
    if len(chosen) != classes or len(set(chosen)) != classes:
        raise InvalidError(
            f"--classes names {len(set(chosen))} distinct classes; the model's output has {classes}: "
            "name each once, in the output's order"
        )


def class_names(labels: LabelCounts, classes: int) -> tuple[str, ...]:
    """Names a model's classes after its training labels, in the order of its output.

    The distinct labels, sorted, where they are as many as the classes; otherwise "0", "1", ...
    Integer labels that all index the output name nothing.

    Args:
        labels: labels of the training rows; may be empty.
        classes: the output's width.
    """
    distinct = list(labels.counts)
    indices = all(isinstance(label, int) and 0 <= label < classes for label in distinct)
    if len(distinct) == classes and not indices:
        return tuple(map(str, sorted(distinct, key=lambda label: (isinstance(label, str), label))))
    return tuple(map(str, range(classes)))


def class_index(label: Label, names: Sequence[str], where: str) -> int:
    """Finds a label's class: by its name, or by its index where no class is named by a number.

    Raises:
        InvalidError: the label is neither.
    """
    if str(label) in names:
        return names.index(str(label))
    named_by_number = any(name.lstrip("-").isdigit() for name in names)
    if isinstance(label, int) and not named_by_number and 0 <= label < len(names):
        return label
    listed = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")  # noqa: PLR2004 - what fits a line
    raise InvalidError(
        f"{where}: label {label!r} is none of the {len(names)} classes {listed}: "
        "name them with --classes, in the order of the model's output"
    )


def class_prior(labels: LabelCounts, names: Sequence[str]) -> Floats:
    """Shares of the classes among the labels; uniform where there are none.

    Returns:
        float64 [classes], sum 1.

    Raises:
        InvalidError: a label is none of the classes.
    """
    if not labels.counts:
        return np.full(len(names), 1 / max(len(names), 1))
    counts = np.zeros(len(names))
    for label, count in labels.counts.items():
        where = f"{labels.where}, data row {labels.first_rows[label]}"
        counts[class_index(label, names, where)] += count
    return np.asarray(counts / counts.sum())
