"""Alerts about what the rankings say: the reason to run Pilotfish."""

from __future__ import annotations

from typing import Final

from helm.monitoring.alert import CANDIDATE, ENDPOINT, Alert, Severity

_OK = f'on ({ENDPOINT}) pilotfish_ranking_state{{state="OK"}} == 1'
_INCUMBENT = f"on ({CANDIDATE}) pilotfish_candidate_incumbent == 1"
# Of the measures of the inputs this one is graded, so that a fall can be told from a step.
_ADAPTIVITY = 'pilotfish_candidate_measure{measure="graded_adaptivity"}'

RANKING_ALERTS: Final = (
    Alert(
        name="PilotfishServedNotBest",
        # A rank below the first says that another candidate is better in 90 % of the draws.
        expression=f"""
pilotfish_candidate_best_probability_ratio < 0.1
and on ({CANDIDATE}) pilotfish_candidate_rank > 1
and {_INCUMBENT}
and {_OK}
""",
        lasting="15m",
        severity=Severity.WARNING,
        summary="{{ $labels.candidate }} serves {{ $labels.endpoint }} and is no longer the best candidate",
        description="The ranking of {{ $labels.endpoint }} is OK and for 15 minutes has put others above "
        "{{ $labels.candidate }}, which serves: the probability that it is the best is "
        "{{ $value | humanizePercentage }}.",
    ),
    Alert(
        name="PilotfishRecommendationChanged",
        expression="""
changes(pilotfish_candidate_recommended[15m]) > 0
and pilotfish_candidate_recommended == 1
""",
        lasting="0s",
        severity=Severity.INFO,
        summary="{{ $labels.candidate }} is now recommended for {{ $labels.endpoint }}",
        description="The candidate to serve at {{ $labels.endpoint }} is now {{ $labels.candidate }}. "
        "Changes of whether it is recommended in the last 15 minutes: {{ $value }}.",
    ),
    Alert(
        name="PilotfishRankingDrift",
        # Overlap is there where all candidates are tied, which leaves no rank correlation.
        expression=f"""
(
  pilotfish_ranking_kendall_tau{{against="baseline"}} < 0.5
  or pilotfish_ranking_overlap_ratio{{against="baseline"}} < 0.6
)
and {_OK}
""",
        lasting="15m",
        severity=Severity.WARNING,
        summary="The order of the candidates of {{ $labels.endpoint }} is not that of the baseline any more",
        description="The ranking of {{ $labels.endpoint }} agrees with the baseline's by only "
        '{{ printf "%.2f" $value }}, where 1 is the same order: the traffic, or the candidates, changed.',
    ),
    Alert(
        name="PilotfishAdaptivityFell",
        expression=f"""
{_ADAPTIVITY}
  / avg_over_time({_ADAPTIVITY}[1d] offset 1h)
  < 0.5
and {_INCUMBENT}
""",
        lasting="15m",
        severity=Severity.WARNING,
        summary="The traffic of {{ $labels.endpoint }} no longer looks like what {{ $labels.candidate }} "
        "was trained on",
        description="Graded adaptivity of {{ $labels.candidate }}, which serves {{ $labels.endpoint }}, is "
        "{{ $value | humanizePercentage }} of what it was on average over a day until an hour ago.",
    ),
    Alert(
        name="PilotfishNoRanking",
        # Age at the scrape, so that the scrape interval does not count. Ten minutes at least: with little
        # traffic there is one round for each request.
        expression=f"""
increase(pilotfish_requests_sampled_total[5m]) > 0
unless on ({ENDPOINT})
  timestamp(pilotfish_ranking_made_timestamp_seconds) - pilotfish_ranking_made_timestamp_seconds < 600
unless on ({ENDPOINT})
  timestamp(pilotfish_ranking_made_timestamp_seconds) - pilotfish_ranking_made_timestamp_seconds
  < 20 * pilotfish_ranking_every_seconds
""",
        lasting="5m",
        severity=Severity.CRITICAL,
        summary="Requests come to {{ $labels.endpoint }}, and there is no new ranking",
        description="{{ $value | humanize }} requests of {{ $labels.endpoint }} were sampled in 5 minutes, "
        "and no ranking was made for 20 rounds and at least 10 minutes.",
    ),
)
