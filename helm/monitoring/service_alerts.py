"""Alerts about Pilotfish's own work: candidates without answers, traffic that is lost, settings refused."""

from __future__ import annotations

from typing import Final

from helm.monitoring.alert import ENDPOINT, Alert, Severity

SERVICE_ALERTS: Final = (
    Alert(
        name="PilotfishCandidateUnavailable",
        expression="""
pilotfish_candidate_state{state="UNAVAILABLE"} == 1
""",
        lasting="10m",
        severity=Severity.WARNING,
        summary="{{ $labels.candidate }} of {{ $labels.endpoint }} gives no answers",
        description="{{ $labels.candidate }} of {{ $labels.endpoint }} has been UNAVAILABLE for 10 minutes; "
        "the others are ranked without it.",
    ),
    Alert(
        name="PilotfishShadowFailing",
        expression="""
rate(pilotfish_shadow_failures_total[10m])
  / (rate(pilotfish_shadow_items_total[10m]) + rate(pilotfish_shadow_failures_total[10m]))
  > 0.05
""",
        lasting="10m",
        severity=Severity.WARNING,
        summary="{{ $labels.candidate }} of {{ $labels.endpoint }} fails on part of the traffic",
        description="{{ $labels.candidate }} could not answer {{ $value | humanizePercentage }} of the items "
        "of {{ $labels.endpoint }} that it was asked in the last 10 minutes.",
    ),
    Alert(
        name="PilotfishRequestsDropped",
        # Calls that failed or were given up are no fault of Pilotfish. What was skipped was not wanted.
        expression=f"""
rate(pilotfish_requests_dropped_total{{reason!~"failed_call|cancelled"}}[10m])
  / on ({ENDPOINT}) group_left ()
  (rate(pilotfish_requests_seen_total[10m]) - rate(pilotfish_requests_skipped_total[10m]))
  > 0.05
""",
        lasting="10m",
        severity=Severity.WARNING,
        summary="Requests of {{ $labels.endpoint }} are dropped: {{ $labels.reason }}",
        description="{{ $value | humanizePercentage }} of the requests of {{ $labels.endpoint }} that the "
        "sampler wanted in the last 10 minutes were dropped as {{ $labels.reason }}; "
        "the ranking does not know them.",
    ),
    Alert(
        name="PilotfishRequestsRejected",
        expression=f"""
rate(pilotfish_requests_rejected_total[10m])
  / on ({ENDPOINT}) group_left ()
  rate(pilotfish_requests_sampled_total[10m])
  > 0.05
""",
        lasting="10m",
        severity=Severity.WARNING,
        summary="Sampled requests of {{ $labels.endpoint }} cannot be used: {{ $labels.reason }}",
        description="{{ $value | humanizePercentage }} of the requests of {{ $labels.endpoint }} that were "
        "sampled in the last 10 minutes were rejected as {{ $labels.reason }}; "
        "the ranking does not know them.",
    ),
    Alert(
        name="PilotfishAccountingBroken",
        expression="""
pilotfish_requests_seen_total
  - pilotfish_requests_sampled_total
  - pilotfish_requests_skipped_total
  - sum without (reason) (pilotfish_requests_dropped_total)
  != 0
""",
        lasting="2m",
        severity=Severity.CRITICAL,
        summary="The accounting of {{ $labels.endpoint }} does not add up",
        description="Requests seen at {{ $labels.endpoint }} differ by {{ $value }} from those sampled, "
        "skipped and dropped. This is a fault of Pilotfish: its other numbers may be wrong too.",
    ),
    Alert(
        name="PilotfishInterferenceBudgetExhausted",
        expression="""
avg_over_time(pilotfish_shadow_backed_off[15m]) > 0.5
""",
        lasting="5m",
        severity=Severity.WARNING,
        summary="Shadow work of {{ $labels.endpoint }} is held back most of the time",
        description="In {{ $value | humanizePercentage }} of the last 15 minutes the candidates of "
        "{{ $labels.endpoint }} were held back, as asking them slowed the model server more than it may.",
    ),
    Alert(
        name="PilotfishConfigurationRefused",
        expression="""
pilotfish_config_refused == 1
""",
        lasting="5m",
        severity=Severity.WARNING,
        summary="{{ $labels.instance }} refuses its configuration file",
        description="The configuration file of {{ $labels.instance }} has been faulty for 5 minutes; "
        "the one before stays in force.",
    ),
    Alert(
        name="PilotfishEnvoyLosesCopies",
        expression="""
increase(pilotfish_capture_lost_calls_total[10m]) > 0
""",
        lasting="5m",
        severity=Severity.WARNING,
        summary="Envoy cannot copy all calls to {{ $labels.listen }}",
        description="Envoy says that {{ $value | humanize }} calls in the last 10 minutes were not copied to "
        "the {{ $labels.capture }} at {{ $labels.listen }}; the accounting does not know them.",
    ),
)
