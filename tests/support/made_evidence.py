"""Profiles, windows and answers that the tests of the numeric rooms make; nothing is read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sidecar.core.evidence import Evidence, TargetStatistics
from sidecar.core.profile import BINS, FEATURE_BINS, SourceProfile, Validation
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.measures.fourier import mean_fourier
from sidecar.estimation.measures.histograms import feature_counts, pooled_counts, reference_counts
from sidecar.estimation.measures.shift import standardised_shift
from sidecar.estimation.measures.thresholds import source_thresholds

ROWS = 100


def profile(
    rows: Floats, labels: Sequence[str] = ("a", "b"), confusion: Array | None = None
) -> SourceProfile:
    low, high = rows.min(axis=0), rows.max(axis=0)
    edges = np.quantile(rows, np.linspace(0, 1, FEATURE_BINS + 1)[1:-1], axis=0).T
    parts = _parts(rows)
    return SourceProfile(
        model_sha256="",
        inputs=(),
        output="",
        output_kind="probabilities" if labels else "none",
        classes=tuple(labels),
        feature_names=tuple(f"f{index}" for index in range(rows.shape[1])),
        rows=len(rows),
        partition_rows=ROWS,
        low=low,
        high=high,
        mean=rows.mean(axis=0),
        variance=rows.var(axis=0),
        reference=np.stack([reference_counts(part) for part in parts]),
        pooled=np.stack([pooled_counts(part, low, high) for part in parts]),
        feature_edges=edges,
        feature_counts=np.stack([feature_counts(part, edges) for part in parts]),
        fourier=mean_fourier(rows, rows.mean(axis=0), rows.var(axis=0)),
        fourier_rows=len(rows),
        words=(),
        word_counts=np.zeros((len(parts), 0), dtype=np.int32),
        class_prior=np.full(len(labels), 1 / max(len(labels), 1)),
        validation=None if confusion is None else _sure_as_right(confusion),
        built_with={},
    )


def target(rows: Floats, source: SourceProfile) -> TargetStatistics:
    parts = _parts(rows)

    def stacked(arrays: list[Array], *shape: int) -> Array:
        return np.stack(arrays) if arrays else np.zeros((0, *shape), dtype=np.int64)

    return TargetStatistics(
        items=len(rows),
        low=rows.min(axis=0, initial=0),
        high=rows.max(axis=0, initial=0),
        mean=rows.mean(axis=0) if len(rows) else np.zeros(rows.shape[1]),
        variance=rows.var(axis=0) if len(rows) else np.zeros(rows.shape[1]),
        outside=((rows < source.low) | (rows > source.high)).mean(axis=0)
        if len(rows)
        else np.zeros(rows.shape[1]),
        reference=stacked([reference_counts(part) for part in parts], BINS),
        pooled=stacked([pooled_counts(part, source.low, source.high) for part in parts], BINS + 2),
        feature_counts=stacked(
            [feature_counts(part, source.feature_edges) for part in parts], rows.shape[1], FEATURE_BINS
        ),
        histogram=feature_counts(rows, source.feature_edges),
        shifts=np.array(
            [standardised_shift(part.mean(axis=0), source.mean, source.variance) for part in parts]
        ),
        fourier=stacked(
            [mean_fourier(part, source.mean, source.variance) for part in parts], len(source.fourier)
        ),
        words=np.zeros((len(parts), 0), dtype=np.int64),
    )


def evidence(
    profiles: Sequence[SourceProfile], rows: Floats, probabilities: Array, labels: Sequence[str] = ("a", "b")
) -> Evidence:
    return Evidence(
        profiles=tuple(profiles),
        targets=tuple(target(rows, one) for one in profiles),
        thresholds=tuple(source_thresholds(one) for one in profiles),
        labels=tuple(labels),
        probabilities=probabilities,
    )


def noisy(truth: Array, accuracy: float, classes: int, rng: np.random.Generator) -> Array:
    """Answers that are right with a probability and otherwise any other class."""
    wrong = rng.random(len(truth)) >= accuracy
    return np.where(wrong, (truth + rng.integers(1, classes, len(truth))) % classes, truth)


def sure(votes: Array, classes: int, rng: np.random.Generator) -> Floats:
    """Probabilities whose highest is the vote, each candidate's its own."""
    shares = rng.uniform(0, 0.3, (*votes.shape, classes))
    np.put_along_axis(shares, votes[..., None], 1.0, axis=-1)
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True))


def _sure_as_right(confusion: Array) -> Validation:
    """A validation whose every answer was as sure as the accuracy."""
    rows, accuracy = confusion.sum(), confusion.trace() / confusion.sum()
    return Validation(int(rows), confusion, np.full(2, accuracy), np.array([[rows, accuracy, accuracy]]))


def _parts(rows: Floats) -> list[Floats]:
    return [rows[start : start + ROWS] for start in range(0, len(rows) - ROWS + 1, ROWS)]
