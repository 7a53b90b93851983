"""Every metric as Prometheus sees it. A changed name or label breaks dashboards: change it knowingly.

To take a wanted change: GOLDEN=write make test
"""

from __future__ import annotations

import os
from pathlib import Path

from google.protobuf.timestamp_pb2 import Timestamp
from pilotfish.internal.v1 import scoring_pb2
from pilotfish.v1 import ranking_pb2
from prometheus_client import CollectorRegistry, generate_latest

from sidecar.serving.board.board import Snapshot
from sidecar.serving.capture.core.counts import CaptureCounts, CaptureKey
from sidecar.serving.capture.core.intake import Accounting
from sidecar.serving.telemetry.metrics import Metrics, Reading
from sidecar.wire.v2.repository import IndexState, WatchKey

GOLDEN = Path(__file__).with_name("metrics") / "exposition.txt"


def reading() -> Reading:
    best = ranking_pb2.RankedCandidate(
        name="eu",
        rank=1,
        state=ranking_pb2.STATE_OK,
        accuracy=ranking_pb2.Estimate(value=0.9, low=0.85, high=0.95, level=0.9),
        p_best=0.99,
        recommended=True,
        objectives=[
            ranking_pb2.NamedEstimate(
                name="latency_p99_s", value=ranking_pb2.Estimate(value=0.02, low=0.015, high=0.03, level=0.9)
            )
        ],
        expected_regret=0.001,
        p_nondominated=0.97,
        efficiency=ranking_pb2.Estimate(value=0.99, low=0.95, high=1.0, level=0.9),
        p_feasible=0.95,
    )
    broken = ranking_pb2.RankedCandidate(name="us", state=ranking_pb2.STATE_UNAVAILABLE, incumbent=True)
    measures = [
        ranking_pb2.MeasureValue(name="jsd", value=ranking_pb2.Estimate(value=0.02, low=0.01, high=0.03)),
        ranking_pb2.MeasureValue(name="l2d", reason="not known"),
    ]
    snapshot = Snapshot(
        ranking=ranking_pb2.Ranking(
            endpoint="digits",
            round=7,
            made_at=Timestamp(seconds=1_700_000_000),
            items=400,
            state=ranking_pb2.STATE_OK,
            candidates=[best, broken],
            segments=[
                ranking_pb2.Segment(name="north", share=0.75),
                ranking_pb2.Segment(name="other", share=0.25),
            ],
            recommendation=ranking_pb2.Recommendation(candidate="eu", challenger="us", evidence=0.25),
            since_previous=ranking_pb2.Drift(round=6, kendall_tau=1.0, overlap=1.0),
            since_baseline=ranking_pb2.Drift(round=1, overlap=0.8, top_changed=True),
        ),
        segments={
            "north": ranking_pb2.Ranking(segment="north", candidates=[best, broken]),
            "other": ranking_pb2.Ranking(segment="other", candidates=[broken]),
        },
        responses={},
        explanations={
            "eu": ranking_pb2.ExplainCandidateResponse(measures=measures),
            "us": ranking_pb2.ExplainCandidateResponse(),
        },
        counters=scoring_pb2.ScoringCounters(
            items=500,
            items_evicted=100,
            requests_rejected={"undecodable": 2},
            window_items=400,
            window_bytes=4096,
            round_s=0.25,
            cpu_s=12.5,
            shadow_items={"eu": 500, "us": 0},
            shadow_s={"eu": 1.5, "us": 0},
            shadow_failures={"eu": 0, "us": 0},
            answers_seen=3,
            resident_bytes=1 << 20,
            backed_off=True,
            latency_ratio=1.5,
            server_times={"eu": scoring_pb2.ServerTimes(queue_s=0.002, compute_s=0.005)},
        ),
        heard_s=0.0,
        sampled=5,
        generation=1,
        version=7,
        changed=7,
        prospects={},
    )
    return Reading(
        accounting={"digits": Accounting(seen=10, sampled=5, skipped=3, dropped={"queue_full": 2})},
        ranking_every_s={"digits": 5.0},
        snapshots={"digits": snapshot},
        captures={
            CaptureKey("proxy", "0.0.0.0:9001"): CaptureCounts(5, 6, 1, 2, 4, upstream_failures=3),
            CaptureKey("observer", "0.0.0.0:9002"): CaptureCounts(
                7, 8, 9, 10, 11, waiting_calls=12, lost_calls=15
            ),
            CaptureKey("cloudevents", "/events"): CaptureCounts(13, 14),
        },
        discovery={WatchKey("digits", "127.0.0.1:8001", "digits_*"): (IndexState.AWAY, 3)},
        scoring_up=True,
        scoring_restarts=1,
        queued_bytes=100,
        watchers=2,
        reloads=1,
        reload_failures=1,
        refused=True,
    )


def exposition() -> str:
    registry = CollectorRegistry()
    registry.register(Metrics(reading))
    return generate_latest(registry).decode()


def test_the_exposition_is_the_one_that_is_known() -> None:
    text = exposition()
    if os.environ.get("GOLDEN") == "write":
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def test_what_is_not_known_is_absent() -> None:
    text = exposition()
    assert 'measure="l2d"' not in text
    for name in ("rank", "accuracy_ratio", "best_probability_ratio"):
        assert f'pilotfish_candidate_{name}{{candidate="eu"' in text
        assert f'pilotfish_candidate_{name}{{candidate="us"' not in text
    assert "nan" not in text.lower()
