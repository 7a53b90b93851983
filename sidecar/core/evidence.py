"""Defines the evidence of one round: arrays over the same items for all candidates that answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from sidecar.core.class_shares import ClassShares, Stack
from sidecar.core.errors import InvalidError
from sidecar.core.profile import SourceProfile, Validation
from sidecar.core.tensors import Array, Floats

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TargetStatistics:
    """Statistics of the window's inputs, binned by one candidate's profile; d features, T full partitions.

    Attributes:
        items: items that the moments are of.
        low: least value of each feature [d].
        high: greatest value of each feature [d].
        mean: mean of each feature [d].
        variance: population variance of each feature [d].
        outside: share of each feature's values outside the source's range [d].
        reference: counts of each partition's values, scaled by the partition's own minimum and maximum
            [T, BINS].
        pooled: counts of each partition's values, scaled by the source's range [T, BINS + 2].
        feature_counts: counts by the source's quantile edges [T, d, FEATURE_BINS].
        histogram: counts by the same edges of all `items`, also of items in no full partition
            [d, FEATURE_BINS].
        shifts: raw-unit shift of each partition's mean [T], see `sidecar.estimation.measures.shift`.
        fourier: mean random Fourier features of each partition [T, 2 FOURIER_FREQUENCIES]; [T, 0] if the
            profile has none.
        words: word counts [T, W + OTHER_BUCKETS], see `sidecar.estimation.measures.words`; [T, 0] if the
            profile has no words.
    """

    items: int
    low: Floats
    high: Floats
    mean: Floats
    variance: Floats
    outside: Floats
    reference: Array
    pooled: Array
    feature_counts: Array
    histogram: Array
    shifts: Floats
    fourier: Floats
    words: Array


@dataclass(frozen=True, slots=True)
class SourceThresholds:
    """How far a source's own partitions lie apart; made by `sidecar.estimation.measures.thresholds`.

    Attributes:
        pooled: 95 % quantile of the divergence between two partitions' pooled histograms, nats.
        nearest: squared Hellinger distance between each partition's pooled histogram and the nearest other
            partition's [S], above 0.
        columns: 95 % quantile of the divergence between a partition's histogram of a column and the rest of
            the source, nats, for each column of `sidecar.estimation.measures.columns`; [0] without binned
            features.
    """

    pooled: float
    nearest: Floats
    columns: Floats


@dataclass(frozen=True)
class Evidence:
    """One round's input to the measures; C candidates, n items, K labels.

    Attributes:
        profiles: source profile of each candidate [C]; None for a candidate of which only answers are known.
        targets: statistics of the window, binned by each candidate's profile [C]; None if nothing was binned.
        thresholds: `source_thresholds` of each profile [C], which are computed once for a profile; None
            without a profile, or with a single source partition.
        labels: names of the joint label space [K]; empty if the candidates give no classes.
        probabilities: class probabilities [C, n, K] of the same n items for every candidate; each row sums to
            1. An array is checked and becomes `ClassShares`, which are read one candidate at a time.
        hard: whether the candidates answer with classes only, so that all probabilities are 0 or 1.
        energies: logit energies, the logsumexp of each item's logits [n], of each candidate [C]; None for a
            model that gives probabilities. Empty if no energies are known.
        unusable: place in `labels` of the class that stands for "no usable answer", which is always wrong;
            None if every answer is a class.

    Raises:
        InvalidError: the sizes of the parts differ, or a probability or logit energy is not finite.
    """

    profiles: tuple[SourceProfile | None, ...]
    targets: tuple[TargetStatistics | None, ...]
    thresholds: tuple[SourceThresholds | None, ...]
    labels: tuple[str, ...]
    probabilities: Stack
    hard: bool = False
    energies: tuple[Floats | None, ...] = ()
    unusable: int | None = None

    def __post_init__(self) -> None:
        candidates, items, classes = self.probabilities.shape
        sizes = {candidates, len(self.profiles), len(self.targets), len(self.thresholds)}
        if len(sizes | {len(self.energies) or candidates}) != 1 or classes != len(self.labels):
            raise InvalidError(
                f"the sizes differ: answers of shape {[candidates, items, classes]}, {len(self.profiles)} "
                f"profiles, {len(self.targets)} targets, {len(self.thresholds)} thresholds, "
                f"{len(self.energies)} logit energies, {len(self.labels)} labels: leave out candidates that "
                "gave no answers"
            )
        # The contents of `ClassShares` were checked when it was made.
        if not isinstance(self.probabilities, ClassShares):
            _check_finite(self.probabilities)
            object.__setattr__(self, "probabilities", ClassShares.of_array(self.probabilities))
        for candidate, energies in enumerate(self.energies):
            if energies is not None and (energies.shape != (items,) or not np.isfinite(energies).all()):
                raise InvalidError(
                    f"the logit energies of candidate {candidate} are not {items} finite numbers"
                )

    @property
    def shares(self) -> ClassShares:
        """The probabilities, which are read one candidate at a time."""
        return ClassShares.of_array(self.probabilities)

    @property
    def votes(self) -> Array:
        """Each candidate's class for each item, int64 [C, n].

        Raises:
            InvalidError: the candidates give no classes.
        """
        if not self.labels:
            raise InvalidError("the candidates give no classes, so they have no votes: compare their inputs")
        return self.shares.votes

    @property
    def highest(self) -> Floats:
        """The probability of each candidate's class for each item, float64 [C, n]."""
        return self.shares.highest

    @property
    def sources(self) -> tuple[tuple[SourceProfile, TargetStatistics], ...]:
        """Each candidate's profile, and the window's statistics as the profile bins them.

        Raises:
            InvalidError: a candidate has no profile or no statistics.
        """
        return tuple(zip(_known(self.profiles, "profile"), _known(self.targets, "target"), strict=True))

    @property
    def limits(self) -> tuple[SourceThresholds, ...]:
        """Each candidate's thresholds.

        Raises:
            InvalidError: a candidate has no thresholds.
        """
        return _known(self.thresholds, "thresholds")

    @property
    def validations(self) -> tuple[Validation, ...]:
        """Each candidate's validation.

        Raises:
            InvalidError: a candidate has no validation.
        """
        return _known(
            tuple(None if profile is None else profile.validation for profile in self.profiles), "validation"
        )

    def where(self, items: Array, targets: tuple[TargetStatistics | None, ...]) -> Evidence:
        """Returns the evidence of some items.

        Args:
            items: which items; bool [n].
            targets: statistics of these items, binned by each candidate's profile [C].
        """
        return replace(
            self,
            targets=targets,
            probabilities=self.shares.where(items),
            energies=tuple(None if energies is None else energies[items] for energies in self.energies),
        )

    def of(self, candidates: Sequence[int]) -> Evidence:
        """Returns the evidence of the candidates with these indices, in that order."""
        return replace(
            self,
            profiles=tuple(self.profiles[index] for index in candidates),
            targets=tuple(self.targets[index] for index in candidates),
            thresholds=tuple(self.thresholds[index] for index in candidates),
            probabilities=self.shares.of(candidates),
            energies=tuple(self.energies[index] for index in candidates) if self.energies else (),
        )

    def held(self, candidate: int) -> Evidence:
        """Returns the evidence of one candidate; its probabilities are read once for all measures."""
        alone = self.of([candidate])
        return replace(alone, probabilities=alone.shares.held())


@dataclass(frozen=True, slots=True)
class SegmentEvidence:
    """The evidence of one segment, beside the evidence of the whole window.

    Attributes:
        name: the segment's name, which stays the same from round to round.
        rule: how items are assigned to the segment, in words.
        items: whether each of the evidence's items belongs to the segment; bool [n].
        targets: statistics of the segment's items, binned by each candidate's profile [C].
    """

    name: str
    rule: str
    items: Array
    targets: tuple[TargetStatistics | None, ...]


def _check_finite(probabilities: Stack) -> None:
    """Refuses probabilities that are not finite."""
    for candidate, shares in enumerate(probabilities):
        finite = np.isfinite(shares).all(axis=1)
        if not finite.all():
            raise InvalidError(
                f"the answer of candidate {candidate} to item {int(finite.argmin())} is not finite"
            )


def _known(values: tuple[T | None, ...], what: str) -> tuple[T, ...]:
    """Returns all values; refuses a missing value."""
    known = tuple(value for value in values if value is not None)
    if len(known) < len(values):
        raise InvalidError(f"candidate {values.index(None)} has no {what}: leave the candidate out")
    return known
