"""Panels about what the rankings say, row by row."""

from __future__ import annotations

from typing import Final

from helm.monitoring.panels import ENDPOINT, Kind, Panel, by_candidate

_NOW: Final = (
    Panel(
        "Serves",
        "none",
        ((f"max by (candidate) (pilotfish_candidate_incumbent{{{ENDPOINT}}} == 1)", "{{candidate}}"),),
        kind=Kind.NAME,
        width=5,
    ),
    Panel(
        "Recommended",
        "none",
        ((f"max by (candidate) (pilotfish_candidate_recommended{{{ENDPOINT}}} == 1)", "{{candidate}}"),),
        kind=Kind.NAME,
        text="Changes only on evidence that was gathered over rounds.",
        width=5,
    ),
    Panel(
        "State of the ranking",
        "none",
        ((f"max by (state) (pilotfish_ranking_state{{{ENDPOINT}}} == 1)", "{{state}}"),),
        kind=Kind.NAME,
        width=5,
    ),
    Panel(
        "Evidence for a change",
        "percentunit",
        ((f"max(pilotfish_recommendation_evidence_ratio{{{ENDPOINT}}})", "nearest challenger"),),
        kind=Kind.NUMBER,
        text="At 100 % another candidate is recommended.",
        width=3,
    ),
    Panel(
        "Items ranked on",
        "short",
        ((f"min(pilotfish_ranking_items{{{ENDPOINT}}})", "fewest"),),
        kind=Kind.NUMBER,
        width=3,
    ),
    Panel(
        "Age of the ranking",
        "s",
        ((f"max(time() - pilotfish_ranking_made_timestamp_seconds{{{ENDPOINT}}})", "oldest"),),
        kind=Kind.NUMBER,
        width=3,
    ),
)
_RANKING: Final = (
    Panel(
        "Rank",
        "none",
        by_candidate("rank"),
        text="1 is best; candidates that cannot be told apart share a rank.",
    ),
    Panel("P(best)", "percentunit", by_candidate("best_probability_ratio")),
    Panel(
        "Expected regret",
        "none",
        by_candidate("expected_regret"),
        text="What serving it loses to the best candidate, in the unit of the first objective.",
    ),
    Panel(
        "State of the ranking over time",
        "none",
        ((f"max by (state) (pilotfish_ranking_state{{{ENDPOINT}}})", "{{state}}"),),
        kind=Kind.STATES,
        width=12,
    ),
    Panel(
        "P(keeps all bounds)",
        "percentunit",
        by_candidate("feasible_probability_ratio"),
        text="Where the endpoint has ranking.constraints.",
        width=12,
    ),
)
_OBJECTIVES = f"avg by (candidate, objective) (pilotfish_candidate_objective{{{ENDPOINT}}})"
_STATES = f'max by (candidate, state) (pilotfish_candidate_state{{{ENDPOINT}, state!="OK"}})'
_ESTIMATES: Final = (
    Panel("Estimated accuracy", "percentunit", by_candidate("accuracy_ratio")),
    Panel(
        "Objectives",
        "none",
        ((_OBJECTIVES, "{{candidate}} {{objective}}"),),
        text="What counts beside accuracy; the name ends with the unit.",
    ),
    Panel(
        "States of the candidates",
        "none",
        ((_STATES, "{{candidate}} {{state}}"),),
        kind=Kind.STATES,
    ),
    Panel(
        "Accuracy of $candidate with its 90 % interval",
        "percentunit",
        tuple(
            (f'avg(pilotfish_candidate_{name}{{{ENDPOINT}, candidate=~"$candidate"}})', legend)
            for name, legend in (
                ("accuracy_low_ratio", "low"),
                ("accuracy_ratio", "estimate"),
                ("accuracy_high_ratio", "high"),
            )
        ),
        kind=Kind.BAND,
    ),
)
_MEASURE = f'avg by (candidate, measure) (pilotfish_candidate_measure{{{ENDPOINT}, measure=~"$measure"}})'
_DRIFT: Final = (
    Panel(
        "Adaptivity by candidate: $measure",
        "none",
        ((_MEASURE, "{{candidate}} {{measure}}"),),
        text="How like what each was trained on the traffic is; `pilotfish measures` explains all.",
        width=12,
    ),
    Panel(
        "Agreement with an earlier ranking",
        "none",
        (
            (f"avg by (against) (pilotfish_ranking_kendall_tau{{{ENDPOINT}}})", "Kendall's tau, {{against}}"),
            (f"avg by (against) (pilotfish_ranking_overlap_ratio{{{ENDPOINT}}})", "overlap, {{against}}"),
        ),
        text="1 is the same order. The baseline is the first ranking that was OK, or the pinned one.",
        width=12,
    ),
)

RANKING_ROWS: Final = {
    "Now": _NOW,
    "Ranking": _RANKING,
    "Estimates": _ESTIMATES,
    "Adaptivity and drift": _DRIFT,
}
