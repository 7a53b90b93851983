"""What the report says in plain words: what each state means, and what no estimate here can know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sidecar.core.ranking import State

STATES: Final[Mapping[State, str]] = {
    State.OK: "The estimate stands within its assumptions, listed below.",
    State.TIED: "The leaders cannot be told apart on this traffic; they share a rank, and cost may decide.",
    State.NEAR_CHANCE: "Agreement is hardly more than chance gives, so it says little about who is right.",
    State.INSUFFICIENT_DATA: (
        "Too few items or candidates, no classes to judge by, or a cost that counts is not known."
    ),
    State.OUT_OF_SUPPORT: "The traffic lies outside what the candidate was trained on; votes may mislead.",
    State.UNAVAILABLE: "The candidate gave no answers that can be compared.",
    State.BREAKS_CONSTRAINT: "The candidate is not probable enough to keep a bound, so it is listed last.",
}

ASSUMPTIONS: Final = (
    (
        "No label-free estimate has a guarantee. The accuracies are inferred from what the candidates answer "
        "and how far the traffic is from their training data; no right answer was looked at to make them."
    ),
    "Errors that most candidates share look like agreement, and so like accuracy.",
    "Concept drift is invisible: when the right answer to the same input changes, nothing here tells.",
    (
        "The intervals hold more than luck in sampling: an error model, fitted on benchmark domains, widens "
        "them. On traffic unlike those domains the error may be larger."
    ),
    "The order is worth more than the numbers. A mixture of kinds of traffic can hide it.",
)
