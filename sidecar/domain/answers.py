"""From a model's output tensor to class probabilities."""

from __future__ import annotations

import numpy as np

from sidecar.domain.errors import InvalidError
from sidecar.domain.tensors import Array, Floats

_SUM_TOLERANCE = 1e-3


def class_probabilities(output: Array) -> Floats:
    """Reads an output as class probabilities; logits go through a softmax.

    Rows that are all within [0, 1] and sum to 1 are probabilities; anything else is logits. A
    single column is the probability, or the logit, of the second of two classes.

    Args:
        output: shape [items, classes], [items, 1] or [items].

    Returns:
        float64 [items, classes], rows sum to 1.

    Raises:
        InvalidError: the shape is another one, or a value is not finite.
    """
    values = np.asarray(output)
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or values.dtype == np.object_:  # noqa: PLR2004 - rows and classes
        raise InvalidError(f"an output of shape {list(values.shape)}, {values.dtype}, has no class axis")
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise InvalidError(f"the output is not finite at item {np.argwhere(~np.isfinite(values))[0][0]}")
    inside = bool(((values >= 0) & (values <= 1 + _SUM_TOLERANCE)).all())
    if values.shape[1] == 1:
        second = values if inside else 1 / (1 + np.exp(-np.clip(values, -700, 700)))
        return np.concatenate([1 - second, second], axis=1).clip(0, 1)
    if inside and bool((np.abs(values.sum(axis=1) - 1) < _SUM_TOLERANCE).all()):
        return np.asarray(values / values.sum(axis=1, keepdims=True))
    exponents = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True))
