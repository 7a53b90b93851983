"""Checks that a profile's parts fit each other, whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.profile import (
    BINS,
    FEATURE_BINS,
    FOURIER_FREQUENCIES,
    MAX_BINNED_FEATURES,
    SourceProfile,
    Validation,
)
from sidecar.core.tensors import DATATYPES, Array

_TOLERANCE = 1e-6


def check_consistent(profile: SourceProfile, where: str) -> None:
    """Refuses shapes that contradict each other, numbers that are not finite, counts that do not add up.

    Args:
        profile: the profile to check.
        where: names the file in the error message.

    Raises:
        InvalidError: the profile is inconsistent; the message tells the first fault.
    """
    fault = next(_faults(profile), None)
    if fault is not None:
        raise InvalidError(
            f"{where}: the profile is damaged, {fault}: rebuild it with `pilotfish profile build`"
        )


def _faults(profile: SourceProfile) -> Iterator[str]:
    """Yields what is wrong; shapes come first, because the other checks rely on them."""
    yield from _wrong_arrays(profile)
    if profile.partition_rows < 1 or profile.rows < profile.partition_rows * len(profile.reference):
        yield f"{profile.rows} rows cannot fill its partitions"
    if len(set(profile.classes)) != len(profile.classes):
        yield "a class name occurs twice"
    if any(spec.datatype not in DATATYPES for spec in profile.inputs):
        yield "an input's datatype is unknown"
    if (profile.low > profile.high).any() or (profile.variance < 0).any():
        yield "a range or a variance is negative"
    if (np.diff(profile.feature_edges, axis=1) < 0).any():
        yield "the quantile edges do not ascend"
    if (profile.class_prior < 0).any() or abs(profile.class_prior.sum() - bool(profile.classes)) > _TOLERANCE:
        yield "the class prior does not sum to 1"
    yield from _wrong_sketches(profile)
    values = profile.partition_rows * len(profile.low)
    sums = (("reference", values), ("pooled", values), ("feature_counts", profile.partition_rows))
    for name, wanted in sums:
        counts: Array = getattr(profile, name)
        if (counts < 0).any() or (counts.sum(axis=-1) != wanted).any():
            yield f"{name} does not count {wanted} values"
    if profile.validation is not None:
        yield from _wrong_validation(profile.validation)


def _wrong_sketches(profile: SourceProfile) -> Iterator[str]:
    if len(set(profile.words)) != len(profile.words):
        yield "a word occurs twice"
    if (profile.word_counts < 0).any():
        yield "a word count is negative"
    # The Fourier features of a row have length 1, so the length of their mean is at most 1.
    if np.linalg.norm(profile.fourier) > 1 + _TOLERANCE or profile.fourier_rows < bool(profile.fourier.size):
        yield "the Fourier features are not the mean of rows"


def _wrong_validation(validation: Validation) -> Iterator[str]:
    confusion, calibrated = validation.confusion, validation.calibration[:, 0]
    if validation.rows < 1 or (confusion < 0).any() or confusion.sum() != validation.rows:
        yield "the confusion matrix does not count the validation rows"
    if (calibrated < 0).any() or calibrated.sum() != validation.rows:
        yield "the calibration does not count the validation rows"
    if (np.diff(validation.confidence_quantiles) < 0).any():
        yield "the confidence quantiles do not ascend"


def _wrong_arrays(profile: SourceProfile) -> Iterator[str]:
    features, partitions, classes = profile.low.size, _rows(profile.reference), len(profile.classes)
    binned = features if features <= MAX_BINNED_FEATURES else 0
    classless = profile.output_kind == "none"
    if not (features and partitions and (classless or classes > 1)):
        yield "it needs features, partitions and two classes"
    if classless and (profile.output or classes or profile.validation is not None):
        yield "it says that the model gives no classes, and has an output, classes or a validation"
    if len(profile.feature_names) != binned:
        yield f"{len(profile.feature_names)} feature names stand for {binned} binned features"
    wanted: list[tuple[str, Array, str, tuple[int, ...]]] = [
        ("low", profile.low, "f", (features,)),
        ("high", profile.high, "f", (features,)),
        ("mean", profile.mean, "f", (features,)),
        ("variance", profile.variance, "f", (features,)),
        ("class_prior", profile.class_prior, "f", (classes,)),
        ("reference", profile.reference, "i", (partitions, BINS)),
        ("pooled", profile.pooled, "i", (partitions, BINS + 2)),
        ("feature_edges", profile.feature_edges, "f", (binned, FEATURE_BINS - 1)),
        ("feature_counts", profile.feature_counts, "i", (partitions, binned, FEATURE_BINS)),
        ("fourier", profile.fourier, "f", (2 * FOURIER_FREQUENCIES if binned else 0,)),
        ("word_counts", profile.word_counts, "i", (partitions, len(profile.words))),
    ]
    if profile.validation is not None:
        answers = profile.validation
        quantiles, bins = answers.confidence_quantiles, answers.calibration
        wanted += [
            ("validation.confusion", answers.confusion, "i", (classes, classes)),
            ("validation.confidence_quantiles", quantiles, "f", (max(2, quantiles.size),)),
            ("validation.calibration", bins, "f", (max(1, _rows(bins)), 3)),
        ]
    for name, array, kind, shape in wanted:
        if array.shape != shape or array.dtype.kind != kind:
            yield f"{name} is {array.dtype} {list(array.shape)} where {list(shape)} is needed"
        elif not np.isfinite(array).all():
            yield f"{name} is not finite"


def _rows(array: Array) -> int:
    return array.shape[0] if array.ndim else 0
