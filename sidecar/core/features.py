"""Turns a model's input tensors into the numeric features that measures of the inputs use."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array, TensorSpec

WORD_BUCKETS = 256
_WORD = re.compile(rb"\w+")


def feature_names(inputs: Sequence[TensorSpec], columns: Sequence[str] = ()) -> tuple[str, ...]:
    """Returns the names of the features that `to_features` makes, in the same order.

    Args:
        inputs: the model's inputs; every size is known.
        columns: names of the data's columns, for a model with a single flat input; empty if there are none.
    """
    names: list[str] = []
    for spec in inputs:
        if spec.datatype == "BYTES":
            names += [f"{spec.name}.words[{bucket}]" for bucket in range(WORD_BUCKETS)]
            continue
        for place in np.ndindex(*spec.shape):
            names.append(f"{spec.name}[{','.join(map(str, place))}]")
    return tuple(columns) if len(columns) == len(names) else tuple(names)


def to_features(inputs: Mapping[str, Array], specs: Sequence[TensorSpec]) -> Array:
    """Flattens the inputs to one row of numbers for each item; text becomes word counts in hashed buckets.

    Args:
        inputs: arrays by name, each [items, ...].
        specs: the inputs to take, in order.

    Returns:
        float32, shape [items, features].

    Raises:
        InvalidError: an input is missing, or a value is not finite.
    """
    parts = []
    for spec in specs:
        if spec.name not in inputs:
            raise InvalidError(f"input {spec.name!r} is missing; the request has {sorted(inputs)}")
        array = inputs[spec.name]
        if spec.datatype == "BYTES":
            part = _word_counts(array)
        else:
            part = np.asarray(array, dtype=np.float32).reshape(len(array), -1)
            if not np.isfinite(part).all():
                row, column = np.argwhere(~np.isfinite(part))[0]
                raise InvalidError(f"input {spec.name!r} is not finite at item {row}, value {column}")
        parts.append(part)
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def _word_counts(texts: Array) -> Array:
    counts = np.zeros((len(texts), WORD_BUCKETS), dtype=np.float32)
    for row, value in enumerate(texts.reshape(len(texts), -1)):
        for text in value:
            raw = text.encode() if isinstance(text, str) else bytes(text)
            for word in _WORD.findall(raw.lower()):
                counts[row, zlib.crc32(word) % WORD_BUCKETS] += 1
    return counts
