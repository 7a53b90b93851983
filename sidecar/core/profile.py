"""Defines the source profile: the statistics that are kept of a candidate's training and validation data."""

from __future__ import annotations

from dataclasses import dataclass

from sidecar.core.answers import OutputKind
from sidecar.core.tensors import Array, Floats, TensorSpec

# All profiles have the same partition size and bin counts, so that all candidates' histograms can be
# compared.
PARTITION_ROWS = 500
BINS = 100
FEATURE_BINS = 12
# With more features than this a profile keeps only ranges and moments, so that it stays small.
MAX_BINNED_FEATURES = 4096
MAX_PARTITIONS = 200
# A profile holds cosine and sine of this many random projections; they give a kernel's value with an error of
# about 1 / sqrt(128).
FOURIER_FREQUENCIES = 128
# A profile keeps at most `MAX_WORDS` words of a text source, and only words that stand in `MIN_WORD_ROWS`
# rows, so that nothing that a row or two say leaves the training data.
MAX_WORDS = 1000
MIN_WORD_ROWS = 3


@dataclass(frozen=True, slots=True)
class Validation:
    """Statistics of a candidate's answers on its labelled validation data; K classes.

    Attributes:
        rows: labelled rows that the model answered.
        confusion: counts [K, K]; row = true class, column = answered class.
        confidence_quantiles: quantiles of the highest probability, at `linspace(0, 1, len)`.
        calibration: rows, mean confidence and accuracy of each confidence bin [bins, 3]; the bins have equal
            width, and mean confidence and accuracy are 0 in a bin without rows.
    """

    rows: int
    confusion: Array
    confidence_quantiles: Floats
    calibration: Floats

    @property
    def accuracy(self) -> float:
        """Share of the validation rows that were answered correctly."""
        return float(self.confusion.trace() / self.confusion.sum())


@dataclass(frozen=True, slots=True)
class SourceProfile:
    """Statistics of one candidate's source; d features, K classes, S partitions, W words.

    A partition is `partition_rows` training rows, drawn at random (seeded) without replacement.

    Attributes:
        model_sha256: hash of the model file that the profile belongs to, hexadecimal.
        inputs: the model's inputs, in the model's order.
        output: name of the model's output that holds class probabilities or logits; empty for a model without
            classes.
        output_kind: whether the output holds probabilities or logits, decided from the validation rows, or
            from the first training rows without validation; "none" for a model without classes, which has no
            validation.
        classes: class names in the order of the output's last axis; empty if and only if `output_kind`
            is "none".
        feature_names: names of the features [d]; empty if d > MAX_BINNED_FEATURES.
        rows: training rows that the statistics are of.
        partition_rows: rows in a partition.
        low: least training value of each feature [d].
        high: greatest training value of each feature [d].
        mean: mean of each feature [d].
        variance: population variance of each feature [d].
        reference: counts of each partition's values, all features together, scaled by the partition's own
            minimum and maximum [S, BINS].
        pooled: counts of each partition's values, each feature scaled by [low, high]; the outermost bins
            hold the values outside that range [S, BINS + 2].
        feature_edges: inner quantile edges of each feature [d, FEATURE_BINS - 1]; empty if d is too large.
        feature_counts: counts by those edges, the outer bins open [S, d, FEATURE_BINS].
        fourier: mean random Fourier features [2 FOURIER_FREQUENCIES], see
            `sidecar.estimation.measures.fourier`; empty if d is too large.
        fourier_rows: training rows that the mean is of.
        words: the most frequent words of BYTES inputs, most frequent first; empty without BYTES inputs.
        word_counts: counts of the words in each partition [S, W].
        class_prior: shares of the training labels [K]; uniform if the data had no labels.
        validation: statistics of the labelled validation data; None without validation data.
        built_with: versions of the programs that built the profile, by name.
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
