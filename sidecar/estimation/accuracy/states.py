"""What can be said of an estimate: states with their reasons in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from sidecar.core.evidence import Evidence
from sidecar.core.profile import SourceProfile
from sidecar.core.ranking import State
from sidecar.core.tensors import Floats
from sidecar.estimation.accuracy.estimate import AccuracyEstimate
from sidecar.estimation.accuracy.ranks import spearman
from sidecar.estimation.accuracy.support import SUPPORTED, Support
from sidecar.estimation.measures.dawid_skene import flat_consensus
from sidecar.estimation.measures.likeness import duplicate_weights, pool_beyond_chance

# Half of what still counts as slight agreement by the usual reading of kappa (Landis & Koch 1977).
NEAR_CHANCE: Final = 0.1
# Spearman's correlation with the truth below which an order is worth little, and how likely that may be.
_BAD_ORDER: Final = 0.3
_RISK: Final = 0.2
NO_SUPPORT: Final = (State.OUT_OF_SUPPORT, f"no candidate's source covers {SUPPORTED:.0%} of the traffic")


def too_few(items: int, min_items: int) -> tuple[State, str] | None:
    """Tells whether too few items were answered for any ranking; None where they are enough."""
    if items >= min_items:
        return None
    return State.INSUFFICIENT_DATA, f"{items} items were answered by all candidates; {min_items} are needed"


def obstacle(evidence: Evidence) -> tuple[State, str] | None:
    """Tells why the candidates' answers make no consensus.

    Args:
        evidence: of at least one candidate and one item.

    Returns:
        the state and its reason; None where there is no obstacle. TIED means that all candidates
        answer alike: equal, but nothing tells how often they are right.
    """
    candidates = len(evidence.probabilities)
    if candidates == 1:
        return State.INSUFFICIENT_DATA, "one candidate: there is no consensus to compare it with"
    if (duplicate_weights(evidence.probabilities, evidence.votes) * candidates <= 1).all():
        return State.TIED, "all candidates give the same answers; that does not tell how many are right"
    return None


def support_doubt(coverage: float | None) -> tuple[State, str] | None:
    """Tells whether a candidate's source covers next to nothing; None where it does not, or nobody knows."""
    if coverage is None or coverage >= SUPPORTED:
        return None
    return (
        State.OUT_OF_SUPPORT,
        f"its source covers {coverage:.0%} of the traffic; {SUPPORTED:.0%} is needed",
    )


def candidate_doubt(coverage: float | None, kappa: float) -> tuple[State, str] | None:
    """Tells why one candidate's estimate deserves no trust.

    Args:
        coverage: how well its source covers the traffic; None where that is not known.
        kappa: its agreement with the consensus beyond chance.
    """
    if strange := support_doubt(coverage):
        return strange
    if kappa < NEAR_CHANCE:
        return (
            State.NEAR_CHANCE,
            f"it agrees with the consensus hardly more than by chance: kappa {kappa:.2f} < {NEAR_CHANCE}",
        )
    return None


def pool_doubt(evidence: Evidence, support: Support, consensus: Floats) -> tuple[State, str] | None:
    """Tells why the ranking as a whole deserves no trust.

    Strangers that disagree discredit neither the one candidate whose source is like the traffic, if it
    was validated there, nor several such candidates that agree.

    Args:
        evidence: of at least two candidates, with at least one item.
        support: what the inputs say of each.
        consensus: expected share of right answers under the consensus [C].
    """
    fitting = np.flatnonzero(support.fits)
    if len(fitting) == 1 and np.isfinite(support.validation[fitting[0]]):
        return None
    votes = evidence.votes[fitting] if len(fitting) > 1 else evidence.votes
    kappa = pool_beyond_chance(votes, len(evidence.labels))
    if kappa < NEAR_CHANCE:
        return (
            State.NEAR_CHANCE,
            f"the candidates agree hardly more than by chance: kappa {kappa:.2f} < {NEAR_CHANCE}",
        )
    if len(fitting):
        return None
    if support.strange.all():
        return NO_SUPPORT
    if _sources(evidence.profiles) == 2:  # noqa: PLR2004 - one voice against another
        return (
            State.TIED,
            "candidates from two sources, and the traffic is like neither: nothing tells which one is right",
        )
    return _contradiction(support.distances, consensus)


def order_doubt(evidence: Evidence, support: Support, estimate: AccuracyEstimate) -> tuple[State, str] | None:
    """Tells why the order deserves no trust where the pool does.

    Args:
        evidence: of at least two candidates, with at least one item.
        support: what the inputs say of each.
        estimate: of their accuracies.
    """
    if (risk := estimate.order_risk(_BAD_ORDER)) > _RISK:
        return State.TIED, (
            f"estimates err too much for what they differ: {risk:.0%} chance that the order's rank "
            f"correlation with the truth is below {_BAD_ORDER}; at most {_RISK:.0%} is accepted"
        )
    if (alike := concord(evidence, support, estimate.value)) < _BAD_ORDER:
        return (
            State.TIED,
            f"a consensus of equal votes orders otherwise: rank correlation {alike:.2f} < {_BAD_ORDER}",
        )
    return None


def concord(evidence: Evidence, support: Support, values: Floats) -> float:
    """Rank correlation of estimates with a consensus of equal votes over the whole window.

    Where a source fits the traffic, votes are weighed by that for a reason: then it is 1, as where one of the
    two orders nothing.

    Args:
        evidence: of at least two candidates, with at least one item.
        support: what the inputs say of each.
        values: estimates [C].
    """
    if support.fits.any():
        return 1.0
    equal = np.array([one.value for one in flat_consensus(evidence)])
    found = spearman(equal, values)
    return 1.0 if found is None else found


def _sources(profiles: Sequence[SourceProfile | None]) -> int:
    """How many different data sets the candidates were trained on; 0 where that is not known of all.

    Candidates from one source err alike, so they are one voice where the traffic is not like it.
    """
    if not all(profiles):
        return 0
    return len({(one.mean.tobytes(), one.variance.tobytes()) for one in profiles if one})


def _contradiction(distances: Floats, consensus: Floats) -> tuple[State, str] | None:
    """Whether the consensus prefers those from the farthest sources."""
    order = spearman(distances, consensus) if np.isfinite(distances).all() else None
    if order is None or order <= 0:
        return None
    return (
        State.OUT_OF_SUPPORT,
        f"answers and inputs disagree: consensus prefers sources farther away, rank correlation {order:.2f}",
    )
