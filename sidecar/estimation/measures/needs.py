"""What a measure needs, and in words what a candidate lacks."""

from __future__ import annotations

import enum

from sidecar.core.evidence import Evidence, TargetStatistics
from sidecar.core.profile import SourceProfile

_PAIR = 2
_TRIO = 3


class Need(enum.Enum):
    """One thing that must be there; the value says it in words."""

    ITEMS = "one item's classes"
    PROFILE = "a source profile"
    INPUTS = "one item's inputs"
    PARTITION = "a full target partition"
    PARTITIONS = "two full target partitions"
    SOURCE_PARTITIONS = "two source partitions"
    FEATURES = "feature histograms"
    WORDS = "words of BYTES inputs"
    VALIDATION = "validation in the profile"
    PROBABILITIES = "probabilities"
    ENERGY = "logits"
    POOL = "two candidates"
    TRIO = "three candidates"


def own_lack(evidence: Evidence, candidate: int, needs: frozenset[Need]) -> str:
    """Tells what a candidate lacks by itself.

    Args:
        evidence: evidence of one round.
        candidate: its number.
        needs: what a measure requires.

    Returns:
        the first thing missing, in words; empty where nothing is.
    """
    lacks = _lacks(evidence, candidate)
    return next((lacks[need] for need in Need if need in needs and need in lacks), "")


def pool_lack(candidates: int, needs: frozenset[Need]) -> str:
    """Tells whether too few candidates have what a measure needs of each; empty where enough do."""
    if Need.TRIO in needs and candidates < _TRIO:
        return f"{candidates} candidates can be compared; {_TRIO} are needed"
    if Need.POOL in needs and candidates < _PAIR:
        return "there is no other candidate to compare it with"
    return ""


def _lacks(evidence: Evidence, candidate: int) -> dict[Need, str]:
    """All that a candidate lacks, with the reason."""
    profile, target = evidence.profiles[candidate], evidence.targets[candidate]
    lacks: dict[Need, str] = {}
    if not evidence.probabilities.shape[1]:
        lacks[Need.ITEMS] = "the window holds no answered items"
    if evidence.hard:
        lacks[Need.PROBABILITIES] = "the answers are classes only, without probabilities"
    if not evidence.energies or evidence.energies[candidate] is None:
        lacks[Need.ENERGY] = "the model gives probabilities, and the energy is that of logits"
    if profile is None or profile.validation is None:
        lacks[Need.VALIDATION] = "there is no validation; build the profile with labelled validation rows"
    if not evidence.labels:
        lacks |= dict.fromkeys((Need.ITEMS, Need.VALIDATION), "the candidates give no classes")
    if profile is None or target is None:
        return lacks | {Need.PROFILE: "it is known by its answers only: there is no source profile"}
    one_partition = evidence.thresholds[candidate] is None
    return lacks | _input_lacks(profile, target, one_partition=one_partition)


def _input_lacks(profile: SourceProfile, target: TargetStatistics, *, one_partition: bool) -> dict[Need, str]:
    """What is missing to compare the window's inputs with the source's."""
    lacks: dict[Need, str] = {}
    if not target.items:
        lacks[Need.INPUTS] = "the window holds no items"
    rows, partitions = profile.partition_rows, len(target.pooled)
    if not partitions:
        lacks[Need.PARTITION] = f"the window holds no full partition yet: {rows} rows are needed"
    if partitions < _PAIR:
        lacks[Need.PARTITIONS] = (
            f"the window holds fewer than {_PAIR} full partitions: {_PAIR * rows} rows are needed"
        )
    if one_partition:
        lacks[Need.SOURCE_PARTITIONS] = (
            f"the profile holds one partition; build it from at least {_PAIR * rows} rows"
        )
    if not profile.feature_counts.shape[1]:
        lacks[Need.FEATURES] = "the profile keeps no feature histograms: the input has too many features"
    if not profile.words:
        lacks[Need.WORDS] = "the profile holds no words: the inputs are no text, or no word comes back"
    return lacks
