"""Builds a source profile from training and validation rows, in a bounded amount of memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Final

import numpy as np

from sidecar.core.answers import OutputKind, class_probabilities
from sidecar.core.errors import InvalidError
from sidecar.core.features import feature_names, to_features
from sidecar.core.profile import (
    FEATURE_BINS,
    MAX_BINNED_FEATURES,
    MAX_PARTITIONS,
    PARTITION_ROWS,
    SourceProfile,
)
from sidecar.core.row_words import row_words
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.measures.fourier import mean_fourier
from sidecar.tools.profiles.data import Rows
from sidecar.tools.profiles.labels import LabelCounts, check_named, class_names, class_prior
from sidecar.tools.profiles.moments import Moments
from sidecar.tools.profiles.partitions import Draw, PartitionCounts, PartitionRanges
from sidecar.tools.profiles.validation import Answers, answer, unlabelled, validate
from sidecar.tools.profiles.vocabulary import PartitionWords, WordTally

_SAMPLE_BYTES: Final = 32 << 20
_SAMPLE_ROWS: Final = 20_000
_PROBE_ROWS: Final = 64


def build_profile(
    model: Answers,
    train: Rows,
    validation: Rows | None,
    *,
    output: str,
    classes: Sequence[str] | None = None,
    partition_rows: int = PARTITION_ROWS,
    seed: int,
    progress: Callable[[int], None],
) -> SourceProfile:
    """Reads the training rows twice (a file of unknown length three times) and validates the model.

    Memory is bounded, however many training rows there are; validation keeps 16 bytes a row.

    Args:
        model: answers the validation rows and tells how many classes there are.
        train: what the model was trained on.
        validation: labelled rows that it was not trained on; None: the profile has no validation.
        output: the output with class probabilities or logits; empty: the model gives no classes and is
            not run, and neither labels, `classes` nor `validation` are given.
        classes: class names in the output's order; None: see `class_names`.
        partition_rows: rows in a partition.
        seed: seed of the drawn partitions and the sample for quantile edges, words and Fourier features;
            same seed, same profile.
        progress: told how many rows were read since it was last told.

    Raises:
        InvalidError: the rows are too few, do not fit the model, or hold an unknown label.
    """
    # What can be refused without reading everything is refused first.
    width, features, kind = _probe(model, train, output)
    if classes is not None:
        check_named(classes, width)
    if validation is not None and validation.label is None:
        raise unlabelled(validation)
    total = train.total if train.total is not None else _count(train, progress)
    if not 0 < partition_rows <= total:
        raise InvalidError(
            f"{train.path}: {total} rows do not fill one partition of {partition_rows}: "
            f"give more rows, or --partition-rows between 1 and {total}"
        )
    generator = np.random.default_rng(seed)
    partitions = min(MAX_PARTITIONS, total // partition_rows)
    draw = Draw.random(generator, total, partitions, partition_rows)
    sample = Draw.random(
        generator, total, 1, min(total, _SAMPLE_ROWS, max(1, _SAMPLE_BYTES // (4 * features)))
    )

    moments, ranges, labels = (
        Moments.empty(features),
        PartitionRanges(partitions),
        LabelCounts(str(train.path)),
    )
    sampled = [np.empty((0, features), dtype=np.float32)]
    tally = WordTally()
    for first, inputs, values, truth in _batches(train, total, progress):
        moments.add(values)
        ranges.add(*draw.within(first, values))
        if features <= MAX_BINNED_FEATURES:
            sampled.append(sample.within(first, values)[0])
        tally.add(_drawn_words(sample, first, inputs, train)[0])
        if truth is not None:
            labels.add(truth, first + 1)
    sample_rows = np.concatenate(sampled)
    edges = _quantile_edges(sample_rows)

    counts = PartitionCounts(moments.low, moments.high, edges, ranges)
    words = PartitionWords(partitions, tally.frequent())
    for first, inputs, values, _ in _batches(train, total, progress):
        counts.add(*draw.within(first, values))
        words.add(*_drawn_words(draw, first, inputs, train))
    counts.flush()

    names = class_names(labels, width) if classes is None else tuple(classes)
    validated = None
    if validation is not None:
        kind, validated = validate(model, validation, output, names, progress)
    return SourceProfile(
        model_sha256=model.sha256,
        inputs=train.inputs,
        output=output,
        output_kind=kind,
        classes=names,
        feature_names=feature_names(train.inputs, train.columns) if len(edges) else (),
        rows=total,
        partition_rows=partition_rows,
        low=moments.low,
        high=moments.high,
        mean=moments.mean,
        variance=moments.variance,
        reference=counts.reference,
        pooled=counts.pooled,
        feature_edges=edges,
        feature_counts=counts.features,
        fourier=mean_fourier(sample_rows, moments.mean, moments.variance) if len(edges) else np.empty(0),
        fourier_rows=len(sample_rows),
        words=words.vocabulary,
        word_counts=words.counts,
        class_prior=class_prior(labels, names),
        validation=validated,
        built_with={name: version(name) for name in ("numpy", "onnxruntime", "pilotfish")},
    )


def _probe(model: Answers, train: Rows, output: str) -> tuple[int, int, OutputKind]:
    """How many classes and features there are and what the output holds, from the first rows.

    Fails early where rows do not fit.
    """
    inputs, _ = next(iter(train))
    head = {name: array[:_PROBE_ROWS] for name, array in inputs.items()}
    features = to_features(head, train.inputs).shape[1]
    if not output:
        return 0, features, "none"
    raw, kind = answer(model, head, output, str(train.path))
    return class_probabilities(raw, kind).shape[1], features, kind


def _count(train: Rows, progress: Callable[[int], None]) -> int:
    total = 0
    for inputs, _ in train:
        rows = len(next(iter(inputs.values())))
        total += rows
        progress(rows)
    return total


def _batches(
    train: Rows, total: int, progress: Callable[[int], None]
) -> Iterator[tuple[int, dict[str, Array], Array, Array | None]]:
    """Yields row number from 0, inputs, features and labels of every batch."""
    first = 0
    for inputs, labels in train:
        features = to_features(inputs, train.inputs)
        yield first, inputs, features, labels
        first += len(features)
        progress(len(features))
    if first != total:
        raise InvalidError(f"{train.path}: {first} rows now, {total} before: leave the file alone meanwhile")


def _drawn_words(draw: Draw, first: int, inputs: Mapping[str, Array], train: Rows) -> tuple[Array, Array]:
    """The words of the drawn ones among rows that start at row number `first`, and their groups.

    Both are empty where no input is text.
    """
    texts = [spec for spec in train.inputs if spec.datatype == "BYTES"]
    places, groups = draw.places(first, len(inputs[texts[0].name]) if texts else 0)
    return row_words({spec.name: inputs[spec.name][places] for spec in texts}, texts), groups


def _quantile_edges(sample_rows: Array) -> Floats:
    """Inner edges [d, FEATURE_BINS - 1]; none of no rows."""
    if not len(sample_rows):
        return np.empty((0, FEATURE_BINS - 1))
    shares = np.linspace(0, 1, FEATURE_BINS + 1)[1:-1]
    edges = np.quantile(sample_rows, shares, axis=0)
    return np.ascontiguousarray(edges.T, dtype=np.float64)
