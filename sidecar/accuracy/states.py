"""What can be said of an estimate: states with their reasons in words."""

from __future__ import annotations

from collections.abc import Sequence

from sidecar.accuracy.agreement import duplicate_weights, pool_beyond_chance
from sidecar.accuracy.support import SUPPORTED
from sidecar.domain.evidence import Evidence
from sidecar.domain.ranking import State

# "Slight" agreement at most, by the usual reading of kappa (Landis & Koch 1977).
NEAR_CHANCE = 0.2


def obstacle(evidence: Evidence, min_items: int) -> tuple[State, str] | None:
    """Tells why the candidates' answers make no consensus.

    Args:
        evidence: of at least one candidate.
        min_items: fewer are too few.

    Returns:
        the state and its reason; None where there is no obstacle. TIED means that all candidates
        answer alike: equal, but nothing tells how often they are right.
    """
    candidates, items = evidence.probabilities.shape[:2]
    if items < min_items:
        return (
            State.INSUFFICIENT_DATA,
            f"{items} items were answered by all candidates; {min_items} are needed",
        )
    if candidates == 1:
        return State.INSUFFICIENT_DATA, "one candidate: there is no consensus to compare it with"
    votes = evidence.probabilities.argmax(axis=2)
    if (duplicate_weights(evidence.probabilities, votes) * candidates <= 1).all():
        return State.TIED, "all candidates give the same answers; that does not tell how many are right"
    return None


def candidate_doubt(support: float | None, kappa: float) -> tuple[State, str] | None:
    """Tells why one candidate's estimate deserves no trust.

    Args:
        support: how well its source covers the traffic; None where that is not known.
        kappa: its agreement with the consensus beyond chance.
    """
    if support is not None and support < SUPPORTED:
        return (
            State.OUT_OF_SUPPORT,
            f"its source covers {support:.0%} of the traffic; {SUPPORTED:.0%} is needed",
        )
    if kappa < NEAR_CHANCE:
        return (
            State.NEAR_CHANCE,
            f"it agrees with the consensus hardly more than by chance: kappa {kappa:.2f} < {NEAR_CHANCE}",
        )
    return None


def pool_doubt(evidence: Evidence, support: Sequence[float | None]) -> tuple[State, str] | None:
    """Tells why the ranking as a whole deserves no trust.

    Candidates that left their support may well disagree with everyone, so agreement is asked of
    the others only, where there are any; a single one has nobody to agree with.

    Args:
        evidence: of at least two candidates, with at least one item.
        support: how well each source covers the traffic; None where that is not known.
    """
    covered = [index for index, value in enumerate(support) if value is None or value >= SUPPORTED]
    voters = covered or list(range(len(support)))
    if len(voters) > 1:
        kappa = pool_beyond_chance(evidence.probabilities[voters].argmax(axis=2), len(evidence.labels))
        if kappa < NEAR_CHANCE:
            return (
                State.NEAR_CHANCE,
                f"the candidates agree hardly more than by chance: kappa {kappa:.2f} < {NEAR_CHANCE}",
            )
    if not covered:
        return State.OUT_OF_SUPPORT, f"no candidate's source covers {SUPPORTED:.0%} of the traffic"
    return None


def lone_support(names: Sequence[str], support: Sequence[float | None]) -> str:
    """Tells what a ranking rests on where only one candidate was trained on such traffic; or nothing."""
    covered = [
        name for name, value in zip(names, support, strict=True) if value is None or value >= SUPPORTED
    ]
    if len(covered) != 1:
        return ""
    return (
        f"only {covered[0]} was trained on such traffic: its own validation speaks for it, no other candidate"
    )
