"""What can be said of an estimate: states with their reasons in words."""

from __future__ import annotations

from typing import Final

import numpy as np

from sidecar.core.evidence import Evidence
from sidecar.core.ranking import State
from sidecar.core.tensors import Array
from sidecar.estimation.accuracy.estimate import AccuracyEstimate
from sidecar.estimation.accuracy.support import SUPPORTED, Support
from sidecar.estimation.measures.likeness import duplicate_weights, pool_beyond_chance

# Half of what still counts as slight agreement by the usual reading of kappa (Landis & Koch 1977).
NEAR_CHANCE: Final = 0.1
# More likely than not.
_LIKELY: Final = 0.5
NO_SUPPORT: Final = (
    State.OUT_OF_SUPPORT,
    (
        f"for every candidate, less than {SUPPORTED:.0%} of the traffic's values occur in its training data, "
        "so no estimate can be trusted: add a candidate that was trained on such traffic"
    ),
)


def too_few(items: int, min_items: int) -> tuple[State, str] | None:
    """Tells whether too few items were answered for any ranking; None where they are enough."""
    if items >= min_items:
        return None
    return State.INSUFFICIENT_DATA, f"{items} items were answered by all candidates; {min_items} are needed"


def obstacle(evidence: Evidence) -> tuple[State, str] | None:
    """Tells why the candidates' answers make no consensus.

    Args:
        evidence: evidence of at least one candidate and one item.

    Returns:
        the state and its reason; None where there is no obstacle. TIED means that all candidates
        answer alike: equal, but nothing tells how often they are right.
    """
    candidates = len(evidence.profiles)
    if candidates == 1:
        return State.INSUFFICIENT_DATA, "one candidate: there is no consensus to compare it with"
    if (duplicate_weights(evidence.probabilities, evidence.votes) * candidates <= 1).all():
        return State.TIED, "all candidates give the same answers; that does not tell how many are right"
    return None


def support_doubt(inside: float | None) -> tuple[State, str] | None:
    """Tells whether a candidate's source holds too little of the traffic; None where it does not.

    Args:
        inside: share of the traffic's values that the source held too; None where nobody knows.
    """
    if inside is None or inside >= SUPPORTED:
        return None
    return (
        State.OUT_OF_SUPPORT,
        f"{inside:.0%} of the traffic's values occur in its training data; {SUPPORTED:.0%} is needed",
    )


def candidate_doubt(inside: float | None, kappa: float, *, validated: bool) -> tuple[State, str] | None:
    """Tells why one candidate's estimate deserves no trust.

    Args:
        inside: share of the traffic's values that its source held too; None where that is not known.
        kappa: its agreement with the consensus beyond chance.
        validated: whether its validation holds for this traffic: then consensus need not.
    """
    if strange := support_doubt(inside):
        return strange
    if kappa < NEAR_CHANCE and not validated:
        return (
            State.NEAR_CHANCE,
            f"it agrees with the consensus hardly more than by chance: kappa {kappa:.2f} < {NEAR_CHANCE}",
        )
    return None


def pool_doubt(evidence: Evidence, support: Support) -> tuple[State, str] | None:
    """Tells why the ranking as a whole deserves no trust.

    Candidates that disagree discredit nobody where the validation of one of them holds for this traffic, and
    those from elsewhere do not discredit several whose own source the traffic is.

    Args:
        evidence: evidence of at least two candidates, with at least one item.
        support: what the inputs say of each.
    """
    if support.strange.all():
        return NO_SUPPORT
    if validated(evidence, support).any():
        return None
    fitting = support.fit > _LIKELY
    votes = evidence.votes[fitting] if fitting.sum() > 1 else evidence.votes
    kappa = pool_beyond_chance(votes, len(evidence.labels), evidence.unusable)
    if kappa < NEAR_CHANCE:
        return (
            State.NEAR_CHANCE,
            f"the candidates agree hardly more than by chance: kappa {kappa:.2f} < {NEAR_CHANCE}",
        )
    return None


def validated(evidence: Evidence, support: Support) -> Array:
    """Whose validation holds for this traffic more likely than not, bool [C]."""
    known = [one is not None and one.validation is not None for one in evidence.profiles]
    return np.array(known) & (support.fit > _LIKELY)


def promise_doubt(estimate: AccuracyEstimate, tolerance: float, sure: float) -> tuple[State, str] | None:
    """Tells whether serving the first candidate may lose too much; None where that is promised not to happen.

    Args:
        estimate: estimate of the candidates' accuracies.
        tolerance: what the first candidate may lose to the best one, in accuracy.
        sure: the share of the draws in which it must not lose more.
    """
    first = int(estimate.value.argmax())
    lost = estimate.draws.max(axis=1) - estimate.draws[:, first]
    kept = float((lost <= tolerance).mean())
    if kept >= sure:
        return None
    return (
        State.TIED,
        (
            "the estimates are too uncertain to tell which candidate is best: with probability "
            f"{1 - kept:.0%} the first one loses more than {tolerance:g} accuracy to another; a few labels "
            "would settle it"
        ),
    )
