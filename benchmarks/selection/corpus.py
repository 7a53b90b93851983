"""What a workload's data becomes: domains, each with rows to train on, to validate on and to serve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from sidecar.core.tensors import Array

# Enough for small models, and few enough that seven workloads are ready within minutes.
TRAIN_ROWS: Final = 2_000
VALIDATION_ROWS: Final = 1_000
LIVE_ROWS: Final = 2_000
_HELD_OUT: Final = 0.25


@dataclass(frozen=True, slots=True)
class Part:
    """Labelled rows.

    Attributes:
        items: float32 [rows, columns]; text [rows] as `str` objects; or objects [rows, columns], `str` in
            some columns and numbers in the others.
        labels: class names [rows] as `str` objects.
    """

    items: Array
    labels: Array

    @classmethod
    def of(cls, items: Array, labels: Array) -> Part:
        """Rows with labels of any kind, which become names."""
        names = np.array([str(label) for label in labels], dtype=np.object_)
        return cls(items if items.dtype == np.object_ else items.astype(np.float32), names)

    def take(self, rows: Array) -> Part:
        """The rows of these numbers, or where the mask is True."""
        return Part(self.items[rows], self.labels[rows])

    @property
    def is_text(self) -> bool:
        """Whether an item is one text."""
        return self.items.ndim == 1

    @property
    def text_columns(self) -> tuple[int, ...] | None:
        """Places of the columns that hold text; None where the items are numbers only, or whole texts."""
        if self.is_text or self.items.dtype != np.object_:
            return None
        return tuple(place for place, value in enumerate(self.items[0]) if isinstance(value, str))

    @property
    def none(self) -> Part:
        """The same kind of rows, none of them."""
        return self.take(np.zeros(0, dtype=np.int64))

    def known(self, labels: Array) -> Part:
        """The rows whose class is among some labels: a model knows the classes that it was trained on."""
        return self.take(np.isin(self.labels.astype(str), np.unique(labels.astype(str))))

    def sample(self, rows: int, rng: np.random.Generator) -> Part:
        """So many rows drawn at random, in random order; all where there are not as many."""
        return self.take(rng.permutation(len(self.labels))[:rows])


@dataclass(frozen=True, slots=True)
class Domain:
    """A source of candidates, and a target for those of the others.

    Attributes:
        twins: domains that share rows with this one: neither is a source for the other.
    """

    name: str
    train: Part
    validation: Part
    live: Part
    twins: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Corpus:
    """A workload's domains; `columns` names their features, or the one text column."""

    columns: tuple[str, ...]
    domains: tuple[Domain, ...]


def split_rows(split: Array, chosen: Array) -> tuple[Array, Array, Array]:
    """Numbers of the rows to train on, to validate on and to serve.

    Args:
        split: `train`, `test`, and `valid`, `validation` or `dev` [rows]; not every data set has all.
        chosen: the data set's rows; bool [rows].

    Returns:
        without a test split, all rows are served; without a training split, the validation rows are
        what is trained on, and there are none of their own.
    """
    test, validation = split == "test", np.isin(split, ["valid", "validation", "dev"])
    train = chosen & ~test & ~validation
    validation &= chosen
    if not train.any():
        train, validation = validation, np.zeros_like(validation)
    live = chosen & test
    rows = (train, validation, live if live.any() else chosen)
    train_rows, validation_rows, live_rows = (np.flatnonzero(mask) for mask in rows)
    return train_rows, validation_rows, live_rows


def domain(
    name: str,
    train: Part,
    validation: Part,
    live: Part,
    rng: np.random.Generator,
    *,
    twins: frozenset[str] = frozenset(),
) -> Domain:
    """Draws a domain's rows, at most as many as the constants above say.

    Args:
        name: unique in the workload.
        train: rows of the training split, or all rows.
        validation: of the validation split; without rows a share of `train` is held out.
        live: of the test split, or all rows: a domain's own models are no candidates for it.
        rng: draws the rows.
        twins: see `Domain`.
    """
    if not len(validation.labels):
        order = rng.permutation(len(train.labels))
        held_out = int(_HELD_OUT * len(order))
        train, validation = train.take(order[held_out:]), train.take(order[:held_out])
    train = train.sample(TRAIN_ROWS, rng)
    validation = validation.known(train.labels).sample(VALIDATION_ROWS, rng)
    return Domain(name, train, validation, live.sample(LIVE_ROWS, rng), twins)
