"""Makes an endpoint's rounds: a ranking, and the recommendation that follows from it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from sidecar.config.schema import Endpoint
from sidecar.core.evidence import SegmentEvidence
from sidecar.core.ranking import Ranking, Recommended
from sidecar.costs.candidate import Costs
from sidecar.estimation.ranking.order import RankSettings, rank
from sidecar.scoring.endpoint.comparison import Comparison
from sidecar.scoring.endpoint.recommending import Recommender


@dataclass(frozen=True, slots=True)
class Round:
    """A ranking and how it was made.

    Attributes:
        number: counts the endpoint's rounds from 1.
        ranking: the ranking.
        seconds: what the round took.
        recommended: the candidate to serve; None where rounds are made of a file's rows.
    """

    number: int
    ranking: Ranking
    seconds: float
    recommended: Recommended | None = None


class Rounds:
    """Makes rounds from comparisons; remembers from round to round only the evidence for a recommendation.

    Attributes:
        number: number of the last round; 0 before the first.
    """

    def __init__(
        self, settings: Endpoint, *, costs: Costs, clock: Callable[[], float], alive: Callable[[], None]
    ) -> None:
        """Prepares the first round.

        Args:
            settings: the endpoint's settings.
            costs: what is known of each candidate beside its accuracy.
            clock: seconds, monotonic.
            alive: is called during a long round, between one piece of work and the next.
        """
        self.number = 0
        self._costs = costs
        self._clock = clock
        self._alive = alive
        self._recommender = Recommender(settings.incumbent, level=settings.ranking.false_alarm)
        self._gathered_under = _gathered_under(settings)

    def configure(self, settings: Endpoint) -> None:
        """Takes new settings; drops the evidence if it was gathered under settings that changed."""
        under = _gathered_under(settings)
        if under != self._gathered_under:
            self._recommender.restart(level=settings.ranking.false_alarm)
            self._gathered_under = under

    def forget(self, name: str) -> None:
        """Drops the evidence about a candidate whose model was replaced."""
        self._recommender.forget(name)

    def make(
        self,
        settings: Endpoint,
        comparison: Comparison,
        segments: list[SegmentEvidence],
        candidates: Collection[str],
        *,
        began_s: float,
    ) -> Round:
        """Ranks the compared candidates, and the others as unavailable.

        Args:
            settings: the endpoint's settings.
            comparison: the candidates that can be compared.
            segments: the compared items by segment.
            candidates: names of all candidates.
            began_s: when the round began, by the clock.
        """
        self.number += 1
        by = settings.ranking
        ranking = rank(
            list(comparison.names),
            comparison.evidence(),
            unavailable=comparison.unavailable,
            # Every round draws the same numbers, so that equal evidence gives equal rankings.
            rng=np.random.default_rng(by.seed),
            settings=RankSettings(
                min_items=by.min_items,
                preference=by.preference,
                measures=by.measures,
                tolerance=by.tolerance,
                alive=self._alive,
            ),
            segments=segments,
            costs={
                candidate.settings.name: self._costs.known(candidate.settings, candidate.timing())
                for candidate, _ in comparison.compared
            },
        )
        recommended = self._recommender.update(
            self.number,
            ranking,
            comparison.ids,
            by.preference,
            incumbent=settings.incumbent,
            candidates=candidates,
        )
        return Round(self.number, ranking, self._clock() - began_s, recommended)


def _gathered_under(settings: Endpoint) -> tuple[object, ...]:
    """Returns the settings that evidence for a recommendation depends on."""
    by = settings.ranking
    return settings.window, settings.segments, by.objectives, by.prefer, by.constraints, by.false_alarm
