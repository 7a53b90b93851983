"""What a column is: a numeric feature, or a whole text input however many hashed buckets stand for it.

Users name columns, and models take columns. Hundreds of word buckets that are always empty must not outvote
the one number beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from sidecar.core.evidence import TargetStatistics
from sidecar.core.features import WORD_BUCKETS
from sidecar.core.profile import SourceProfile
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.measures.divergence import LN2, jsd


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a profile's features; d features, k columns.

    Attributes:
        names: as the user named them [k]; empty where the profile names no features.
        starts: number of each column's first feature [k].
        text: whether each column is a text input, bool [k].
        counted: which histogram bins say something, bool [d, bins]. Of a word bucket the bin of rows without
            the word does not: two texts of different words lack the same other words.
    """

    names: tuple[str, ...]
    starts: Array
    text: Array
    counted: Array

    def sums(self, values: Floats) -> Floats:
        """Adds up features [..., d] by column [..., k]."""
        return np.asarray(np.add.reduceat(values, self.starts, axis=-1))

    def means(self, values: Floats) -> Floats:
        """Averages features [..., d] by column [..., k]."""
        return self.sums(values) / np.diff(self.starts, append=values.shape[-1])


def columns_of(profile: SourceProfile) -> Columns:
    """Finds the columns of a profile's features."""
    features = len(profile.low)
    inputs = [
        (spec.name, spec.datatype == "BYTES", prod(spec.shape) if spec.datatype != "BYTES" else WORD_BUCKETS)
        for spec in profile.inputs
    ]
    if sum(size for _, _, size in inputs) != features:
        inputs = [("", False, features)]
    names: list[str] = []
    starts: list[int] = []
    text: list[bool] = []
    place = 0
    for name, is_text, size in inputs:
        one_value = is_text or size == 1
        starts += [place] if is_text else range(place, place + size)
        text += [is_text] if is_text else [False] * size
        named = profile.feature_names[place : place + size]
        names += _names(name, named, one_value=one_value)
        place += size
    counted = np.ones((len(profile.feature_edges), profile.feature_counts.shape[-1]), dtype=bool)
    if len(counted):
        of_text = np.repeat(text, np.diff(starts, append=features))
        counted[of_text & (profile.feature_edges[:, 0] < 1), 0] = False
    return Columns(tuple(names) if profile.feature_names else (), np.array(starts), np.array(text), counted)


def column_divergence(columns: Columns, one: Array, other: Array) -> Floats:
    """Jensen-Shannon divergence of each column's histograms.

    Args:
        columns: columns of the features.
        one: counts [..., d, bins].
        other: counts [..., d, bins]; leading axes broadcast.

    Returns:
        nats [..., k]; 0 where a column is empty on both sides, ln 2 where it is on one.
    """
    ends = np.append(columns.starts[1:], one.shape[-2])
    found = []
    numbers = np.repeat(~columns.text, ends - columns.starts)
    by_feature = jsd(one[..., numbers, :], other[..., numbers, :])
    numeric = iter(np.moveaxis(by_feature, -1, 0))
    for start, end, is_text in zip(columns.starts, ends, columns.text, strict=True):
        if not is_text:
            found.append(next(numeric))
            continue
        mask = columns.counted[start:end]
        found.append(_divergence(one[..., start:end, :][..., mask], other[..., start:end, :][..., mask]))
    return np.stack(found, axis=-1)


def varying(columns: Columns, window: Array, source: Array) -> Array:
    """Which columns have more than one value in the window or the source, bool [k].

    Args:
        columns: columns of the features.
        window: counts [d, bins].
        source: counts [d, bins].
    """
    several = ((window > 0) | (source > 0)).sum(axis=-1) > 1
    return np.asarray(columns.sums(several.astype(np.float64)) > 0)


def outside_support(profile: SourceProfile, target: TargetStatistics) -> Floats:
    """Share of each column's live values that the source never held, 0 to 1 [k].

    Of a number that is a value outside the source's range, of a text a word whose bucket is empty there.
    """
    columns = columns_of(profile)
    unseen = np.where(profile.high > 0, 0.0, target.mean)
    words = columns.sums(target.mean)
    of_text = np.divide(columns.sums(unseen), words, out=np.zeros(len(words)), where=words > 0)
    return np.where(columns.text, of_text, columns.means(target.outside))


def _names(name: str, features: Sequence[str], *, one_value: bool) -> list[str]:
    """The user's names of an input's columns; an input of one value has the input's own."""
    if not one_value or not features:
        return list(features)
    return [
        name
        if features[0].startswith(f"{name}.words[") or features[0] in {f"{name}[0]", f"{name}[]"}
        else features[0]
    ]


def _divergence(one: Array, other: Array) -> Floats:
    """JSD along the last axis where histograms may be empty."""
    some, others = one.sum(axis=-1) > 0, other.sum(axis=-1) > 0
    flat = np.ones(one.shape[-1])
    apart = jsd(np.where(some[..., None], one, flat), np.where(others[..., None], other, flat))
    return np.where(some & others, apart, np.where(some == others, 0.0, LN2))
