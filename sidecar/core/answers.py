"""Turns a model's output tensor into class probabilities."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array, Floats

ClassKind: TypeAlias = Literal["probabilities", "logits"]
# "none" stands for a model without classes: a regressor, an embedder or a detector.
OutputKind: TypeAlias = Literal[ClassKind, "none"]

# BF16 keeps 8 bits, so a probability, and a row's sum, is off by up to 0.4 %, and by more if a server rounds
# several times. The logits of several items hardly ever all sum to 1 that closely.
_SUM_TOLERANCE: Final = 0.02


def output_kind(output: Array) -> ClassKind:
    """Tells whether an output holds probabilities or logits; more items make the answer surer.

    If all rows are within [0, 1] and sum to 1, within 2 %, they are probabilities; otherwise they are logits.
    A single column is the probability, or the logit, of the second of two classes.

    Args:
        output: shape [items, classes], [items, 1] or [items].

    Raises:
        InvalidError: the shape is different, or a value is not finite.
    """
    return "logits" if _improbable(_columns(output)).any() else "probabilities"


def class_probabilities(output: Array, kind: ClassKind) -> Floats:
    """Reads an output as class probabilities; logits go through a softmax.

    Args:
        output: shape [items, classes], [items, 1] or [items].
        kind: what the output holds, as `output_kind` told for many items.

    Returns:
        float64 [items, classes]; each row sums to 1.

    Raises:
        InvalidError: the shape is different, a value is not finite, or `kind` is "probabilities" and a row
            is no probability distribution.
    """
    values = _columns(output)
    if kind == "logits":
        values = _two_or_more(values)
        # `_columns` made a copy, and a long request over many classes must not need a second one.
        values -= values.max(axis=1, keepdims=True)
        np.exp(values, out=values)
        values /= values.sum(axis=1, keepdims=True)
        return values
    improbable = _improbable(values)
    if improbable.any():
        item = int(improbable.argmax())
        raise InvalidError(
            f"the output is no distribution at item {item}: its values reach from {values[item].min():.4g} "
            f"to {values[item].max():.4g} and sum to {values[item].sum():.4g}, but the profile says that the "
            "model gives probabilities: rebuild the profile with the model that answers, or name its output"
        )
    values = values.clip(0, 1)
    if values.shape[1] == 1:
        return np.concatenate([1 - values, values], axis=1)
    return np.asarray(values / values.sum(axis=1, keepdims=True))


def logit_energies(output: Array) -> Floats:
    """Computes logsumexp of each item's logits, which cannot be computed from the softmax.

    Args:
        output: logits, shape [items, classes], [items, 1] or [items].

    Returns:
        float64 [items].

    Raises:
        InvalidError: the shape is different, or a value is not finite.
    """
    values = _two_or_more(_columns(output))
    highest = values.max(axis=1)
    return np.asarray(highest + np.log(np.exp(values - highest[:, None]).sum(axis=1)))


def _two_or_more(logits: Floats) -> Floats:
    """Returns the logits of all classes; a single column belongs to the second class, the first gets 0."""
    return np.concatenate([np.zeros_like(logits), logits], axis=1) if logits.shape[1] == 1 else logits


def _columns(output: Array) -> Floats:
    """Returns the output as float64 [items, columns]."""
    values = np.asarray(output)
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or values.dtype == np.object_:  # noqa: PLR2004 - rows and classes
        raise InvalidError(
            f"an output of shape {list(values.shape)}, {values.dtype}, has no class axis: name another output"
        )
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        item = np.argwhere(~np.isfinite(values))[0][0]
        raise InvalidError(f"the output is not finite at item {item}: check the model for NaN")
    return values


def _improbable(values: Floats) -> Array:
    """Tells which rows are no probability distribution; bool [items]."""
    outside = ((values < -_SUM_TOLERANCE) | (values > 1 + _SUM_TOLERANCE)).any(axis=1)
    if values.shape[1] == 1:
        return np.asarray(outside)
    return np.asarray(outside | (np.abs(values.sum(axis=1) - 1) > _SUM_TOLERANCE))
