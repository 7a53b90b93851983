"""A source profile: what is kept of a candidate's training and validation data. Statistics only."""

from __future__ import annotations

from dataclasses import dataclass

from sidecar.core.answers import OutputKind
from sidecar.core.tensors import Array, Floats, TensorSpec

# One partition size and one bin count for all profiles, so that all candidates' histograms compare.
PARTITION_ROWS = 500
BINS = 100
FEATURE_BINS = 12
# Beyond this many features only ranges and moments are kept, so that a profile stays small.
MAX_BINNED_FEATURES = 4096
MAX_PARTITIONS = 200
# Cosine and sine of this many random projections: a kernel's value is off by about 1 / sqrt(128).
FOURIER_FREQUENCIES = 128
# The words of a text source that are kept, and the rows that a word must stand in: what a single
# row or two say never leaves the training data.
MAX_WORDS = 1000
MIN_WORD_ROWS = 3


@dataclass(frozen=True, slots=True)
class Validation:
    """A candidate's answers on its labelled validation data; K classes.

    Attributes:
        rows: labelled rows that were answered.
        confusion: counts [K, K]; row = true class, column = answered class.
        confidence_quantiles: of the highest probability, at `linspace(0, 1, len)`.
        calibration: [bins, 3]: rows, mean confidence, accuracy by equal-width confidence bin;
            the two means are 0 where a bin has no rows.
    """

    rows: int
    confusion: Array
    confidence_quantiles: Floats
    calibration: Floats

    @property
    def accuracy(self) -> float:
        """Share of the validation rows answered right."""
        return float(self.confusion.trace() / self.confusion.sum())


@dataclass(frozen=True, slots=True)
class SourceProfile:
    """Source statistics of one candidate; d features, K classes, S partitions, W words.

    Partitions are `partition_rows` training rows each, drawn at random (seeded) without replacement.

    Attributes:
        model_sha256: of the model file that the profile belongs to.
        inputs: the model's inputs, in its order.
        output: the model's output that holds class probabilities or logits; empty for one without classes.
        output_kind: which of the two, decided over the validation rows, or else the first training rows;
            "none" for a model without classes, which has no validation.
        classes: class names in the order of the output's last axis; empty if and only if `output_kind`
            is "none".
        feature_names: d names; empty where d > MAX_BINNED_FEATURES.
        rows: training rows seen.
        partition_rows: rows in a partition.
        low: least training value of each feature [d].
        high: greatest training value of each feature [d].
        mean: [d].
        variance: [d], population.
        reference: counts [S, BINS]; flattened partition, min-max scaled by itself.
        pooled: counts [S, BINS + 2]; each feature scaled by [low, high], outermost bins outside it.
        feature_edges: [d, FEATURE_BINS - 1], inner quantile edges; empty where d is too large.
        feature_counts: [S, d, FEATURE_BINS]; by those edges, the last bin open.
        fourier: mean random Fourier features [2 FOURIER_FREQUENCIES], see
            `sidecar.estimation.measures.fourier`; empty where d is too large.
        fourier_rows: training rows behind that mean.
        words: the most frequent words of BYTES inputs, most frequent first; empty without any.
        word_counts: [S, W], by partition.
        class_prior: [K], shares of the training labels; uniform where the data had none.
        validation: statistics of the labelled validation data; None without any.
        built_with: versions of what built it, by name.
    """

    model_sha256: str
    inputs: tuple[TensorSpec, ...]
    output: str
    output_kind: OutputKind
    classes: tuple[str, ...]
    feature_names: tuple[str, ...]
    rows: int
    partition_rows: int
    low: Floats
    high: Floats
    mean: Floats
    variance: Floats
    reference: Array
    pooled: Array
    feature_edges: Floats
    feature_counts: Array
    fourier: Floats
    fourier_rows: int
    words: tuple[str, ...]
    word_counts: Array
    class_prior: Floats
    validation: Validation | None
    built_with: dict[str, str]
