"""What one round knows about the window: aligned arrays over the candidates that answered."""

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
    """The window's inputs as one candidate's profile sees them; d features, T full partitions.

    Attributes:
        items: rows behind the moments.
        low: least value of each feature [d].
        high: greatest value of each feature [d].
        mean: [d].
        variance: [d], population.
        outside: share of each feature's values outside the source's range [d].
        reference: counts [T, BINS], scaled by each partition itself.
        pooled: counts [T, BINS + 2], scaled by the source's range.
        feature_counts: [T, d, FEATURE_BINS], by the source's quantile edges.
        histogram: the same of all `items` together, those that fill no partition too [d, FEATURE_BINS].
        shifts: raw-unit shift of each partition's mean [T], see `sidecar.estimation.measures.shift`.
        fourier: mean random Fourier features of each partition [T, 2 FOURIER_FREQUENCIES]; [T, 0]
            where the profile has none.
        words: word counts [T, W + OTHER_BUCKETS], see `sidecar.estimation.measures.words`; [T, 0] where the
            profile has none.
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
        pooled: 95 % quantile between two partitions' pooled histograms, nats.
        nearest: squared Hellinger distance of each partition's pooled histogram to the nearest
            other one's [S], above 0.
        columns: 95 % quantile between a partition's histogram of a column and the rest of the source,
            nats, by column as `sidecar.estimation.measures.columns` has them; [0] without binned features.
    """

    pooled: float
    nearest: Floats
    columns: Floats


@dataclass(frozen=True)
class Evidence:
    """One round's input to the measures; C candidates, n items, K labels.

    Attributes:
        profiles: each candidate's source profile, C of them; None where it is known by its answers only.
        targets: the window as each candidate's profile bins it, C of them; None where nothing was binned.
        thresholds: `source_thresholds` of each profile, C of them; constant, so made once a profile.
            None without a profile and with one source partition.
        labels: K names; the joint label space. Empty: the candidates give no classes.
        probabilities: [C, n, K], rows sum to 1; the same n items for every candidate. An array given here is
            checked and taken apart: what is read is one candidate's [n, K] at a time, see `ClassShares`.
        hard: whether the answers are classes only; then all probabilities are 0 or 1.
        energies: logsumexp of each item's logits [n], C of them; None where a model gives
            probabilities. Empty: none is known.
        unusable: place in `labels` of what stands for no usable answer, which is always wrong; None where
            every answer is a class.

    Raises:
        InvalidError: the parts are not of one size, or a probability or energy is not finite.
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
                f"answers of shape {[candidates, items, classes]} need as many profiles, targets, thresholds "
                f"and {len(self.labels)} labels; leave out candidates that gave no answers"
            )
        # What `ClassShares` gives was checked when it was made, or cannot be otherwise.
        if not isinstance(self.probabilities, ClassShares):
            _check_finite(self.probabilities)
            object.__setattr__(self, "probabilities", ClassShares.of_array(self.probabilities))
        for candidate, energies in enumerate(self.energies):
            if energies is not None and (energies.shape != (items,) or not np.isfinite(energies).all()):
                raise InvalidError(f"the energies of candidate {candidate} are not {items} finite numbers")

    @property
    def shares(self) -> ClassShares:
        """The probabilities, one candidate's array at a time."""
        return ClassShares.of_array(self.probabilities)

    @property
    def votes(self) -> Array:
        """Each candidate's class for each item, int64 [C, n].

        Raises:
            InvalidError: the candidates give no classes.
        """
        if not self.labels:
            raise InvalidError("the candidates give no classes, so they have no votes; compare their inputs")
        return self.shares.votes

    @property
    def highest(self) -> Floats:
        """The probability of each candidate's class for each item, float64 [C, n]."""
        return self.shares.highest

    @property
    def sources(self) -> tuple[tuple[SourceProfile, TargetStatistics], ...]:
        """Each candidate's profile and the window as that bins it.

        Raises:
            InvalidError: a candidate has none.
        """
        return tuple(zip(_known(self.profiles, "profile"), _known(self.targets, "target"), strict=True))

    @property
    def limits(self) -> tuple[SourceThresholds, ...]:
        """Each candidate's thresholds.

        Raises:
            InvalidError: a candidate has none.
        """
        return _known(self.thresholds, "thresholds")

    @property
    def validations(self) -> tuple[Validation, ...]:
        """Each candidate's validation.

        Raises:
            InvalidError: a candidate has none.
        """
        return _known(tuple(None if one is None else one.validation for one in self.profiles), "validation")

    def where(self, items: Array, targets: tuple[TargetStatistics | None, ...]) -> Evidence:
        """The same evidence of some of the items.

        Args:
            items: which; bool [n].
            targets: those items as each candidate's profile bins them, C of them.
        """
        return replace(
            self,
            targets=targets,
            probabilities=self.shares.where(items),
            energies=tuple(None if one is None else one[items] for one in self.energies),
        )

    def of(self, candidates: Sequence[int]) -> Evidence:
        """The same evidence of some candidates, by number, in the order given."""
        return replace(
            self,
            profiles=tuple(self.profiles[index] for index in candidates),
            targets=tuple(self.targets[index] for index in candidates),
            thresholds=tuple(self.thresholds[index] for index in candidates),
            probabilities=self.shares.of(candidates),
            energies=tuple(self.energies[index] for index in candidates) if self.energies else (),
        )

    def held(self, candidate: int) -> Evidence:
        """The same evidence of one candidate; its probabilities are read once, however many measures ask."""
        alone = self.of([candidate])
        return replace(alone, probabilities=alone.shares.held())


@dataclass(frozen=True, slots=True)
class SegmentEvidence:
    """One kind of traffic inside the window, as it is known before it is ranked.

    Attributes:
        name: stable from round to round.
        rule: how items are assigned, in words.
        items: which of the evidence's items it holds; bool [n].
        targets: those items as each of the evidence's candidates' profiles bins them, C of them.
    """

    name: str
    rule: str
    items: Array
    targets: tuple[TargetStatistics | None, ...]


def _check_finite(probabilities: Stack) -> None:
    """Names the first answer that is not finite."""
    for candidate, shares in enumerate(probabilities):
        finite = np.isfinite(shares).all(axis=1)
        if not finite.all():
            raise InvalidError(
                f"the answer of candidate {candidate} to item {int(finite.argmin())} is not finite"
            )


def _known(values: tuple[T | None, ...], what: str) -> tuple[T, ...]:
    """All values, where none is missing."""
    known = tuple(value for value in values if value is not None)
    if len(known) < len(values):
        raise InvalidError(f"candidate {values.index(None)} has no {what}; leave it out")
    return known
