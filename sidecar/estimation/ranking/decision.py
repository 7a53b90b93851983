"""From joint draws of all that counts to the order of the candidates, by what the caller prefers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from sidecar.core.preference.objectives import ACCURACY
from sidecar.core.preference.preference import Order, Preference
from sidecar.core.preference.value import Lexicographic, WeightedProduct
from sidecar.core.ranking import CandidateRank, Estimate, Prospects, Ranking, Standing, State
from sidecar.core.tensors import Floats
from sidecar.estimation.frontier.random import random_frontier

# Standard deviations from the middle to the ends of a 90 % interval of a normal distribution.
_DEVIATIONS_90: Final = 1.6448536269514722
# What keeps a candidate from being compared with the others.
_UNRANKED: Final = frozenset({State.INSUFFICIENT_DATA, State.BREAKS_CONSTRAINT})
# Means over the same pairs in another order differ by rounding.
_DIGITS: Final = 12


def estimate_draws(estimate: Estimate, draws: int, rng: np.random.Generator) -> Floats:
    """Draws a cost above 0, shape [draws]: its logarithm is normal with the width of the 90 % interval."""
    deviation = np.log(estimate.high / estimate.low) / (2 * _DEVIATIONS_90)
    return np.asarray(estimate.value * np.exp(deviation * rng.standard_normal(draws)))


def decide(ranking: Ranking, preference: Preference) -> Ranking:
    """Puts the candidates of a ranking in the order that a caller prefers.

    Those that break a constraint, or of which something that counts is not known, come without a rank
    behind the others. A candidate shares the rank of the best of the group above it unless that one
    is worth more in `preference.level` of the draws.

    Args:
        ranking: without prospects it is returned as it is.
        preference: what counts.

    Returns:
        the same candidates in order, with what was found of each.

    Raises:
        InvalidError: there are not as many weights or tolerances as objectives, or the first objective's
            weight is too small beside the others.
    """
    prospects = ranking.prospects
    if prospects is None:
        return ranking
    absent = [one for one in ranking.candidates if one.name not in prospects.draws]
    judged = [_judged(one, prospects, preference) for one in ranking.candidates if one not in absent]
    kept = [one for one in judged if one.state not in _UNRANKED]
    left = sorted(
        (one for one in judged if one.state in _UNRANKED),
        key=lambda one: (-1.0 if one.p_feasible is None else -one.p_feasible, one.name),
    )
    ordered = _ordered(kept, prospects, preference) if kept else []
    state, reason = _state(ordered, left, prospects, preference)
    return replace(ranking, state=state, reason=reason, candidates=(*ordered, *left, *absent))


def item_values(ranking: Ranking, preference: Preference) -> dict[str, Floats]:
    """What each answer is worth relative to the best that one can be, 0 to 1, by candidate [items].

    That is the expected correctness, times what the candidate's costs leave of it where weights say so.

    Returns:
        the candidates that keep all constraints; empty where accuracy is not what regret is counted in.
    """
    ranked = [one.name for one in ranking.candidates if one.standing is not None]
    if ranking.prospects is None or next(iter(preference.directions)) != ACCURACY or not ranked:
        return {}
    if isinstance(preference.value, Lexicographic):
        return {name: ranking.right[name] for name in ranked}
    draws = ranking.prospects.of(ranked, tuple(preference.directions))
    draws[:, :, 0] = 1.0
    worth = preference.value.values(draws, tuple(preference.directions.values())).mean(axis=0)
    shares = worth / worth.max()
    return {name: share * ranking.right[name] for name, share in zip(ranked, shares, strict=True)}


def _judged(one: CandidateRank, prospects: Prospects, preference: Preference) -> CandidateRank:
    """The candidate as it is before it is compared with others: without a rank, and with what forbids one."""
    doubt = prospects.doubts.get(one.name) if ACCURACY in preference.names else None
    state, reason = doubt or (State.OK, "")
    plain = replace(one, rank=0, state=state, reason=reason, p_feasible=None, standing=None)
    draws = prospects.draws[one.name]
    for name in preference.names:
        if name not in draws:
            reason = prospects.reasons.get(one.name) or (
                f"its {name} is not known: give it a `performance` model that has it, or declare it in "
                "its `objectives`"
            )
            return replace(plain, state=State.INSUFFICIENT_DATA, reason=reason)
    if not preference.constraints:
        return plain
    held = np.stack([limit.kept(draws[limit.objective]) for limit in preference.constraints])
    plain = replace(plain, p_feasible=float(held.all(axis=0).mean()))
    for limit, met in zip(preference.constraints, held.mean(axis=1).tolist(), strict=True):
        if met < limit.probability:
            reason = f"{limit} holds with probability {met:.2f}; {limit.probability:g} is wanted"
            return replace(plain, state=State.BREAKS_CONSTRAINT, reason=reason)
    return plain


def _ordered(
    kept: Sequence[CandidateRank], prospects: Prospects, preference: Preference
) -> list[CandidateRank]:
    """Ranks candidates that keep all constraints, best first."""
    names = [one.name for one in kept]
    directions = tuple(preference.directions.values())
    draws = prospects.of(names, tuple(preference.directions))
    found = preference.value.preferences(draws, directions)
    beats = preference.value.p_beats(draws, directions)
    frontier = random_frontier(draws, directions, preference.level)
    better = beats.mean(axis=1).round(_DIGITS)
    traded = isinstance(preference.value, WeightedProduct)
    # Smaller is better.
    keys = {
        Order.EXPECTED_REGRET: found.expected_regret if traded else -better,
        Order.P_BEST: -found.p_best,
        Order.P_NONDOMINATED: -frontier.p_nondominated,
        Order.EFFICIENCY: -frontier.efficiency,
    }
    ranks: dict[int, int] = {}
    head = -1
    for place, index in enumerate(np.lexsort((np.array(names), -better, keys[preference.order])).tolist()):
        if head < 0 or beats[head, index] >= preference.level:
            head, ranks[index] = index, place + 1
        else:
            ranks[index] = ranks[head]
    shared = _leaders([names[index] for index, rank in ranks.items() if rank == 1])
    ordered = []
    for index, rank in ranks.items():
        one = kept[index]
        tied = rank == 1 and shared and one.state is State.OK
        standing = Standing(
            p_best=float(found.p_best[index]),
            expected_regret=float(found.expected_regret[index]),
            p_nondominated=float(frontier.p_nondominated[index]),
            efficiency=Estimate(
                float(frontier.efficiency[index]),
                float(frontier.efficiency_low[index]),
                float(frontier.efficiency_high[index]),
                preference.level,
            ),
            p_beats={
                other: float(beats[index, place]) for place, other in enumerate(names) if place != index
            },
        )
        state, reason = (State.TIED, shared) if tied else (one.state, one.reason)
        ordered.append(replace(one, rank=rank, state=state, reason=reason, standing=standing))
    return ordered


def _leaders(names: Sequence[str]) -> str:
    """Who shares the first rank, in words; empty where nobody does."""
    return f"cannot be told apart on this traffic: {', '.join(names)}" if len(names) > 1 else ""


def _state(
    ordered: Sequence[CandidateRank],
    left: Sequence[CandidateRank],
    prospects: Prospects,
    preference: Preference,
) -> tuple[State, str]:
    """What is said of the ranking as a whole."""
    doubt = prospects.doubt if ACCURACY in preference.names else None
    if doubt is not None and doubt[0] is not State.TIED:
        return doubt
    if not ordered:
        nearest = left[0]
        return nearest.state, f"no candidate can be ranked; {nearest.name}: {nearest.reason}"
    first = ordered[0]
    if first.state not in (State.OK, State.TIED):
        return first.state, f"{first.name} leads, but {first.reason}"
    leaders = first.reason
    if doubt is None:
        return State.OK, leaders
    if leaders or tuple(preference.directions) == (ACCURACY,):
        return doubt
    return State.OK, f"{doubt[1]}; the other objectives decide"
