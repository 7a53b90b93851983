"""How far two rankings of an endpoint differ, who overtook whom, and which objective moved."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.ranking import Estimate
from sidecar.core.tensors import Array

# Gives the first five ranks 86 % of the weight (Webber et al. 2010, equation 21): a router asks for few.
PERSISTENCE = 0.8


@dataclass(frozen=True, slots=True)
class Revision:
    """One ranking, as far as drift needs it.

    Attributes:
        ranks: lowest is best, equal ones are tied; 0 or absent: not ranked. Only their order counts.
        objectives: what is known of each candidate, by objective.
    """

    ranks: Mapping[str, int]
    objectives: Mapping[str, Mapping[str, Estimate]]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How much two rankings agree; `value` is None where `reason` says why there is no such number."""

    value: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Movement:
    """How an objective moved between two candidates.

    Attributes:
        change: change of the winner's value minus the loser's, in the objective's unit.
        half_widths: its size over the half width of its interval; None where all values are known exactly.
    """

    objective: str
    change: float
    half_widths: float | None


@dataclass(frozen=True, slots=True)
class Overtaking:
    """Two candidates that changed places.

    Attributes:
        most_moved: the objective that moved most between them; None where none is known of both, or moved.
    """

    winner: str
    loser: str
    most_moved: Movement | None


@dataclass(frozen=True, slots=True)
class Drift:
    """From one ranking to another.

    Attributes:
        tau_b: Kendall's rank correlation of the candidates that both rank, -1 to 1.
        overlap: rank-biased overlap, 0 to 1, mostly of the first ranks.
        top_before: all that shared the first rank, by name; empty without any.
        top_after: top of the later ranking, in the same form.
        overtakings: pairs of which one was ranked below the other and is now above, the best winner first.
    """

    tau_b: Agreement
    overlap: Agreement
    top_before: tuple[str, ...]
    top_after: tuple[str, ...]
    overtakings: tuple[Overtaking, ...]

    @property
    def top_changed(self) -> bool:
        """Whether others share the first rank."""
        return self.top_before != self.top_after


def drift(before: Revision, after: Revision, most: int = 16) -> Drift:
    """Compares two rankings, of which the candidates may differ; tells `most` overtakings at most."""
    first, second = _ranked(before.ranks), _ranked(after.ranks)
    joint, below_before, below_after = _joint_orders(first, second)
    pairs = [
        (joint[winner], joint[loser]) for winner, loser in np.argwhere((below_before > 0) & (below_after < 0))
    ]
    pairs.sort(key=lambda pair: (second[pair[0]], pair[0], second[pair[1]], pair[1]))
    overtakings = [Overtaking(*pair, _most_moved(*pair, before, after)) for pair in pairs[:most]]
    return Drift(
        tau_b=kendall_tau_b(first, second),
        overlap=rank_biased_overlap(first, second),
        top_before=_top(first),
        top_after=_top(second),
        overtakings=tuple(overtakings),
    )


def kendall_tau_b(before: Mapping[str, int], after: Mapping[str, int]) -> Agreement:
    """Kendall's tau-b of the candidates that both rankings rank: 1 same order, -1 reversed.

    Args:
        before: rank by name; 0 or absent: not ranked.
        after: the same.

    Returns:
        no value where fewer than two are ranked by both, or one of the rankings ties all of them.

    References:
        Kendall 1945 for ties.
    """
    joint, *orders = _joint_orders(_ranked(before), _ranked(after))
    if len(joint) < 2:  # noqa: PLR2004 - a pair
        return Agreement(None, "fewer than two candidates are ranked in both")
    untied = [np.count_nonzero(order) for order in orders]
    if not all(untied):
        return Agreement(None, "all candidates that are ranked in both are tied in one of them")
    return Agreement(float((orders[0] * orders[1]).sum() / np.sqrt(untied[0] * untied[1])))


def rank_biased_overlap(
    before: Mapping[str, int], after: Mapping[str, int], p: float = PERSISTENCE
) -> Agreement:
    """Rank-biased overlap: how much the first ranks have in common, over all depths; 1 where all is the same.

    The agreement at a depth is twice the number of common candidates over the number of all, of those ranked
    that high; ties come in together. Depth d counts (1 - p) p^(d - 1). Below the last rank nothing
    is unseen: the agreement stays what it is there.

    Args:
        before: rank by name; 0 or absent: not ranked.
        after: the same.
        p: between 0 and 1; how likely a reader of a rank goes on to the next.

    Returns:
        no value where one of the rankings ranks nobody.

    Raises:
        InvalidError: `p` is not between 0 and 1.

    References:
        Webber, Moffat & Zobel 2010, equation 30 and section 4.5 for ties (RBO^w of Corsi & Urbano 2024).
    """
    if not 0 < p < 1:
        raise InvalidError(f"rank-biased overlap: p is {p}; give a number between 0 and 1")
    first, second = _ranked(before), _ranked(after)
    if not first or not second:
        return Agreement(None, "nobody is ranked in one of them")
    deepest = max(*first.values(), *second.values())
    shared = [max(rank, second[name]) for name, rank in first.items() if name in second]
    common, *sizes = (
        np.bincount(np.array(ranks, dtype=np.int64), minlength=deepest + 1)[1:].cumsum()
        for ranks in (shared, [*first.values()], [*second.values()])
    )
    agreement = 2 * common / (sizes[0] + sizes[1])
    weights = (1 - p) * p ** np.arange(deepest)
    return Agreement(float(weights @ agreement + p**deepest * agreement[-1]))


def _ranked(ranks: Mapping[str, int]) -> dict[str, int]:
    """Those that are ranked, with 1 for the best; tied ones share the best of their ranks."""
    in_order = sorted(rank for rank in ranks.values() if rank)
    return {name: 1 + bisect_left(in_order, rank) for name, rank in ranks.items() if rank}


def _top(ranks: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(sorted(name for name, rank in ranks.items() if rank == 1))


def _joint_orders(first: Mapping[str, int], second: Mapping[str, int]) -> tuple[list[str], Array, Array]:
    """Who both rank, n of them by name; for each pair in each ranking 1 below, 0 tied, -1 above [n, n]."""
    joint = sorted(first.keys() & second.keys())
    places = np.array([[ranks[name] for name in joint] for ranks in (first, second)])
    before, after = np.sign(places[:, :, None] - places[:, None, :])
    return joint, before, after


def _most_moved(winner: str, loser: str, before: Revision, after: Revision) -> Movement | None:
    """The objective that moved most between two candidates, those known exactly before all others."""
    values = [revision.objectives.get(name, {}) for revision in (before, after) for name in (winner, loser)]
    known = values[0].keys() & values[1].keys() & values[2].keys() & values[3].keys()
    moved = [_movement(objective, [one[objective] for one in values]) for objective in sorted(known)]
    return max((one for one in moved if one.change), key=_size, default=None)


def _movement(objective: str, values: list[Estimate]) -> Movement:
    """Values of an objective of the winner and the loser, before and after."""
    change = (values[2].value - values[3].value) - (values[0].value - values[1].value)
    # As if the four errors were independent, which errs on the wide side where two of them are shared.
    half_width = float(np.linalg.norm([(one.high - one.low) / 2 for one in values]))
    return Movement(objective, change, abs(change) / half_width if half_width else None)


def _size(movement: Movement) -> float:
    return np.inf if movement.half_widths is None else movement.half_widths
