"""Which candidates can be compared, and what their answers to the same items say."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Final

import numpy as np

from sidecar.core.class_shares import ClassShares
from sidecar.core.evidence import Evidence, SegmentEvidence
from sidecar.core.labels import label_space
from sidecar.core.tensors import Array
from sidecar.scoring.endpoint.candidate import ShadowCandidate
from sidecar.scoring.endpoint.candidates import Candidates
from sidecar.scoring.endpoint.loaded import Loaded
from sidecar.scoring.endpoint.segmented_window import SegmentedWindow

# A candidate that answered a smaller share of the window would shrink the items that all candidates answered.
_ANSWERED_SHARE: Final = 0.5
# Class names that an error shows.
_SHOWN_CLASSES: Final = 5


@dataclass(frozen=True, slots=True)
class Comparison:
    """The candidates that can be compared.

    Attributes:
        ids: numbers of the items that all of them answered [n].
        compared: the candidates, each with what it loaded.
        unavailable: why each of the other candidates cannot be compared, by name.
    """

    ids: Array
    compared: tuple[tuple[ShadowCandidate, Loaded], ...]
    unavailable: dict[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the compared candidates."""
        return tuple(candidate.settings.name for candidate, _ in self.compared)

    def evidence(self) -> Evidence:
        """Returns what the compared candidates answered to the items."""
        all_loaded = [loaded for _, loaded in self.compared]
        labels = label_space(loaded.profile.classes for loaded in all_loaded)
        return Evidence(
            profiles=tuple(loaded.profile for loaded in all_loaded),
            targets=tuple(loaded.binning.target.statistics() for loaded in all_loaded),
            thresholds=tuple(loaded.thresholds for loaded in all_loaded),
            labels=labels,
            probabilities=ClassShares(
                [loaded.answers.shares(self.ids, loaded.profile.classes, labels) for loaded in all_loaded],
                items=len(self.ids) if all_loaded else 0,
                classes=len(labels),
            ),
            energies=tuple(
                loaded.answers.logit_energies(self.ids) if loaded.profile.output_kind == "logits" else None
                for loaded in all_loaded
            ),
        )

    def segments(self, items: SegmentedWindow) -> list[SegmentEvidence]:
        """Returns the items of each segment; empty if there are no named segments or nothing to compare."""
        if not self.compared:
            return []
        found = []
        for name, rows in items.rows(self.ids).items():
            held = np.zeros(len(self.ids), dtype=bool)
            held[rows] = True
            targets = tuple(loaded.binning.of_segment(name) for _, loaded in self.compared)
            found.append(SegmentEvidence(name, items.rule(name), items=held, targets=targets))
        return found


def compare(candidates: Candidates, items: SegmentedWindow, held_back: str) -> Comparison:
    """Finds the candidates that can be compared, and the items that all of them answered.

    Args:
        candidates: the endpoint's candidates.
        items: the endpoint's window.
        held_back: why shadow work is held back; empty if it is not.
    """
    ids = np.arange(items.window.first_id, items.window.next_id)
    compared = []
    unavailable: dict[str, str] = {}
    for candidate in candidates:
        reason = _obstacle(candidate, candidates, ids, held_back)
        if reason or candidate.loaded is None:
            unavailable[candidate.settings.name] = (
                reason or "its model is not loaded yet: it is compared in a later round"
            )
        else:
            compared.append((candidate, candidate.loaded))
    if compared:
        ids = ids[reduce(np.logical_and, (candidate.answered(ids) for candidate, _ in compared))]
    return Comparison(ids, tuple(compared), unavailable)


def _obstacle(candidate: ShadowCandidate, candidates: Candidates, ids: Array, held_back: str) -> str:
    """Says why a candidate cannot be compared; empty if it can."""
    if candidate.loaded is None or candidate.out:
        return candidate.reason
    if len(ids) and candidate.answered(ids).mean() < _ANSWERED_SHARE:
        who = "its server" if candidate.elsewhere else "it"
        behind = (
            f"{who} answered less than half of the window so far, too little for a comparison: it is "
            "compared when it has caught up"
        )
        return candidate.reason or held_back or behind
    own, (name, common) = candidate.loaded.profile.classes, _common_classes(candidates)
    if bool(own) != bool(common):
        difference = f"classes, but {name} gives none" if own else f"no classes, but {name} gives some"
        return f"it gives {difference}: build both profiles with --no-classes, or neither"
    if own and not set(own) & set(common):
        return (
            f"its classes {_shown(own)} and {_shown(common)} of {name} have no class in common: "
            "build its profile with --classes"
        )
    return ""


def _common_classes(candidates: Candidates) -> tuple[str, tuple[str, ...]]:
    """Returns the candidate whose classes the others must share, the incumbent if loaded, and its classes."""
    return next(
        (candidate.settings.name, candidate.loaded.profile.classes)
        for candidate in (candidates.incumbent, *candidates)
        if candidate.loaded is not None
    )


def _shown(names: tuple[str, ...]) -> str:
    return f"[{', '.join(names[:_SHOWN_CLASSES])}{', ...' if len(names) > _SHOWN_CLASSES else ''}]"
