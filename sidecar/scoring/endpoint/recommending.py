"""Keeps an endpoint's recommended candidate from round to round."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from sidecar.core.preference.preference import Preference
from sidecar.core.ranking import Ranking, Recommended, State
from sidecar.core.tensors import Array
from sidecar.estimation.ranking.decision import item_values
from sidecar.estimation.ranking.recommendation import Change, Recommendation


class Recommender:
    """Gathers evidence against the recommended candidate; each item counts once.

    The recommendation changes to a candidate only if a ranking in state OK puts it above the recommended
    candidate, and if items that arrived since the last change give enough evidence. It changes at once if the
    recommended candidate breaks a constraint or was removed from the configuration.
    """

    def __init__(self, incumbent: str, *, level: float) -> None:
        """Recommends the incumbent.

        Args:
            incumbent: name of the incumbent.
            level: greatest probability, over all rounds together, that a change is a false alarm.
        """
        self._recommendation = Recommendation(incumbent, level=level)
        self._next_id = 0
        self._since_round = 0
        self._reason = "it serves, and nothing speaks against it yet"

    def forget(self, candidate: str) -> None:
        """Drops the evidence for and against a candidate whose model was replaced."""
        if candidate == self._recommendation.candidate:
            self._recommendation.change_to(candidate, "its model was replaced")
        else:
            self._recommendation.forget(candidate)

    def restart(self, *, level: float) -> None:
        """Drops all evidence and keeps the recommended candidate; item numbers may begin at 0 again."""
        self._recommendation = Recommendation(self._recommendation.candidate, level=level)
        self._next_id = 0

    def update(
        self,
        number: int,
        ranking: Ranking,
        ids: Array,
        preference: Preference,
        *,
        incumbent: str,
        candidates: Collection[str],
    ) -> Recommended:
        """Takes one round.

        Args:
            number: the round's number.
            ranking: the ranking of the whole window.
            ids: numbers of the ranked items, ascending [n].
            preference: the preference that ordered the ranking.
            incumbent: name of the candidate that serves.
            candidates: names of all candidates.
        """
        current = self._recommendation.candidate
        for gone in self._recommendation.evidence().keys() - set(candidates):
            self._recommendation.forget(gone)
        fresh = ids >= self._next_id
        self._next_id = int(ids[-1]) + 1 if len(ids) else self._next_id
        change: Change | None
        if current not in candidates:
            change = self._recommendation.change_to(incumbent, f"{current} was removed from the candidates")
        else:
            change = self._weigh(ranking, fresh, preference)
        if change is not None:
            self._since_round, self._reason = number, change.reason
        evidence = self._recommendation.evidence()
        challenger = max(evidence, key=lambda name: evidence[name], default="")
        reason = self._reason
        if evidence.get(challenger) == 1:
            held = ranking.reason if ranking.state is not State.OK else "it is not ranked above"
            reason = f"{challenger} has the evidence to replace it, but {held}"
        return Recommended(
            candidate=self._recommendation.candidate,
            challenger=challenger,
            evidence=evidence.get(challenger, 0.0),
            since_round=self._since_round,
            reason=reason,
        )

    def _weigh(self, ranking: Ranking, fresh: Array, preference: Preference) -> Change | None:
        current = next(
            (line for line in ranking.candidates if line.name == self._recommendation.candidate), None
        )
        if current is None or ranking.state not in (State.OK, State.TIED):
            above: list[str] = []
        elif current.state is State.BREAKS_CONSTRAINT:
            return self._recommendation.change_to(
                ranking.candidates[0].name, f"{current.name}: {current.reason}"
            )
        elif ranking.state is State.TIED:
            above = []
        else:
            above = [line.name for line in ranking.candidates if 0 < line.rank < current.rank]
        values = item_values(ranking, preference)
        if not values:
            # Without values of single items, the ranking itself is the only evidence.
            if not above or current is None:
                return None
            return self._recommendation.change_to(above[0], f"is ranked above {current.name}")
        own = values.pop(self._recommendation.candidate, None)
        if own is None:
            return None
        names = sorted(values)
        differences = np.stack([values[name] - own for name in names]) if names else np.empty((0, len(own)))
        return self._recommendation.update(names, differences[:, fresh], above)
