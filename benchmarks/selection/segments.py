"""Mixed traffic: what is lost when kinds of traffic that want different candidates are ranked as one."""

from __future__ import annotations

import numpy as np

from benchmarks.selection.case import Case
from benchmarks.selection.score import mixed_regret
from sidecar.core.ranking import Ranking


def mixed(case: Case) -> dict[str, float]:
    """Regret against the best candidate of each true kind of traffic, by the way of ranking.

    `unsegmented` takes the one pick of a ranking without segments, `segmented` the pick of each
    segment that was found; `apart` ranks each true kind alone, which is what a ranking could reach
    that knew the kinds. Empty where the kinds are unknown.

    Args:
        case: the target.
    """
    if case.segments is None or case.rank_part is None:
        return {}
    whole = case.rank()
    right = case.evidence.votes == case.truth
    place = {name: index for index, name in enumerate(case.names)}
    everything = np.arange(len(case.segments))

    def pick(ranking: Ranking) -> int:
        return place[ranking.candidates[0].name]

    segmented = np.full(len(everything), pick(whole))
    for segment in whole.segments:
        segmented[segment.items] = pick(segment.ranking)
    apart = np.zeros(len(everything), dtype=np.int64)
    for kind in np.unique(case.segments):
        items = np.flatnonzero(case.segments == kind)
        apart[items] = pick(case.rank_part(items))
    served = {
        "unsegmented": np.full(len(everything), pick(case.rank_part(everything))),
        "segmented": segmented,
        "apart": apart,
    }
    return {name: mixed_regret(right, case.segments, one) for name, one in served.items()}
