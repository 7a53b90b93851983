"""Panels about Pilotfish's own work, row by row: what came in, what it costs, whether it is well."""

from __future__ import annotations

from typing import Final

from helm.monitoring.panels import ENDPOINT, PODS, Panel, rate

_FATES = ("seen", "sampled", "skipped", "dropped")
_AT = "capture, listen"
_WHERE = "{{capture}} {{listen}}"
_CAPTURE: Final = (
    Panel(
        "Requests",
        "reqps",
        tuple((f"sum({rate(f'requests_{fate}_total', ENDPOINT)})", fate) for fate in _FATES),
    ),
    Panel(
        "Dropped and rejected requests",
        "reqps",
        tuple(
            (f"sum by (reason) ({rate(f'requests_{fate}_total', ENDPOINT)})", f"{fate}: {{{{reason}}}}")
            for fate in ("dropped", "rejected")
        ),
    ),
    Panel(
        "Accounting: seen - sampled - skipped - dropped",
        "none",
        (
            (
                " - ".join(f"sum(pilotfish_requests_{fate}_total{{{ENDPOINT}}})" for fate in _FATES),
                "difference",
            ),
        ),
        text="Always 0.",
    ),
    Panel(
        "Calls that no endpoint got, of all captures",
        "reqps",
        tuple(
            (f"sum by ({_AT}) ({rate(f'capture_{name}_total', PODS)})", f"{text}: {_WHERE}")
            for name, text in (
                ("unwatched_calls", "unwatched"),
                ("unreadable_calls", "unreadable"),
                ("waiting_calls", "Envoy would wait"),
                ("lost_calls", "not copied by Envoy"),
            )
        ),
        width=12,
    ),
    Panel(
        "Connections of all captures",
        "short",
        (
            (f"sum by ({_AT}) (pilotfish_capture_connections{{{PODS}}})", f"open: {_WHERE}"),
            (
                f"sum by ({_AT}) ({rate('capture_unreadable_connections_total', PODS)})",
                f"unreadable a second: {_WHERE}",
            ),
            (
                f"sum by ({_AT}) ({rate('capture_upstream_failures_total', PODS)})",
                f"upstream not there, a second: {_WHERE}",
            ),
        ),
        width=12,
    ),
)
_SECONDS = f"sum by (candidate) ({rate('shadow_seconds_total', ENDPOINT)})"
_ITEMS = f"sum by (candidate) ({rate('shadow_items_total', ENDPOINT)})"
_FAILURES = f"sum by (candidate) ({rate('shadow_failures_total', ENDPOINT)})"
# The process metrics have no name of Pilotfish's; the job may have other programs.
_PILOTFISH = f"and on (job, instance) pilotfish_build_info{{{PODS}}}"
_SERVING_CPU = f"rate(process_cpu_seconds_total{{{PODS}}}[$__rate_interval]) {_PILOTFISH}"
_COST: Final = (
    Panel(
        "Time in each candidate's model",
        "percentunit",
        ((_SECONDS, "{{candidate}}"),),
        text="100 %: one model that never rests.",
    ),
    Panel("Time an item", "s", ((f"{_SECONDS} / {_ITEMS}", "{{candidate}}"),)),
    Panel("Items that could not be answered, a second", "short", ((_FAILURES, "{{candidate}}"),)),
    Panel(
        "CPU",
        "percentunit",
        (
            (f"sum({rate('scoring_cpu_seconds_total', PODS)})", "scoring"),
            (f"sum({_SERVING_CPU})", "serving"),
        ),
        text="100 % is one core.",
    ),
    Panel(
        "Memory of the largest pod",
        "bytes",
        (
            (f"max(pilotfish_scoring_resident_bytes{{{PODS}}})", "scoring"),
            (f"max(process_resident_memory_bytes{{{PODS}}} {_PILOTFISH})", "serving"),
        ),
    ),
    Panel(
        "Held back for the live traffic",
        "percentunit",
        ((f"avg(pilotfish_shadow_backed_off{{{ENDPOINT}}})", "backed off"),),
        text="Share of the pods whose candidates are not asked, as that slowed the model server.",
    ),
)
_HEALTH: Final = (
    Panel(
        "Rounds",
        "s",
        (
            (f"max(pilotfish_round_duration_seconds{{{ENDPOINT}}})", "took"),
            (f"max(pilotfish_ranking_every_seconds{{{ENDPOINT}}})", "is due every"),
        ),
    ),
    Panel("Window", "short", ((f"min(pilotfish_window_items{{{ENDPOINT}}})", "items"),)),
    Panel(
        "Memory of window and queue",
        "bytes",
        (
            (f"max(pilotfish_window_bytes{{{ENDPOINT}}})", "window"),
            (f"max(pilotfish_scoring_queue_bytes{{{PODS}}})", "queue, of all endpoints"),
        ),
    ),
    Panel(
        "Scoring process",
        "short",
        (
            (f"min(pilotfish_scoring_up{{{PODS}}})", "runs in all pods"),
            (f"sum({rate('scoring_restarts_total', PODS)})", "restarts a second"),
        ),
    ),
    Panel(
        "Configuration file",
        "short",
        (
            (f"max(pilotfish_config_refused{{{PODS}}})", "refused"),
            (f"sum({rate('config_reloads_total', PODS)})", "taken, a second"),
        ),
    ),
    Panel(
        "Pods and watchers",
        "short",
        (
            (f"count by (version) (pilotfish_build_info{{{PODS}}})", "pods of {{version}}"),
            (f"sum(pilotfish_watchers{{{PODS}}})", "WatchRanking streams"),
        ),
    ),
)

SERVICE_ROWS: Final = {
    "Capture": _CAPTURE,
    "Cost of shadow answers": _COST,
    "Pilotfish itself": _HEALTH,
}
