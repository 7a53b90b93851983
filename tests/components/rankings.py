"""Rankings of digit models, in process and behind servers, and what makes two of them the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pilotfish.v1 import ranking_pb2, traffic_pb2

from benchmarks.digit_models import candidate
from sidecar.config.schema import Endpoint
from sidecar.core.ranking import Ranking
from sidecar.core.tensors import Array
from sidecar.scoring.runners.opening import OpenModels
from sidecar.tools.offline.rows import answer_rows
from tests.components.server_process import NAMES, ServerProcess, behind
from tests.support.running_sidecar import ENDPOINT, WAIT_S, RunningSidecar, configuration, states, write

INCUMBENT = "upright"
# Requests of one item that come as live traffic.
ITEMS = 500


def assert_ranked_as_in_process(
    server: ServerProcess,
    folder: Path,
    live: Array,
    tmp_path: Path,
    **options: object,
) -> None:
    """The server's models are ranked, offline, as the same models in process, and answer all items."""
    np.savez(tmp_path / "live.npz", image=live)

    def ranked(candidates: list[dict[str, Any]]) -> tuple[Ranking, dict[str, int]]:
        whole = {"name": "e", "incumbent": INCUMBENT, "candidates": candidates}
        endpoint = Endpoint.model_validate(whole, context={"folder": folder})
        scorer, _ = answer_rows(endpoint, tmp_path / "live.npz", open_model=OpenModels(), limit=len(live))
        try:
            return scorer.rank().ranking, {one.settings.name: one.items for one in scorer.candidates}
        finally:
            scorer.close()

    expected, _ = ranked([candidate(name) for name in NAMES])
    found, answered = ranked([behind(server, name, **options) for name in NAMES])
    assert answered == dict.fromkeys(NAMES, len(live))
    assert_same(found, expected)


def pushed(folder: Path, live: Array) -> ranking_pb2.Ranking:
    """The ranking of the models in process by the first `ITEMS` images, pushed."""
    config = configuration(capture=[], candidates=[candidate(name) for name in NAMES])
    with RunningSidecar(write(folder, config)) as sidecar:
        push(sidecar, live[:ITEMS])
        return sidecar.ranking_when(whole)


def push(sidecar: RunningSidecar, images: Array) -> None:
    """Pushes images one by one."""
    tensors = (
        traffic_pb2.Tensor(name="image", datatype="FP32", shape=(1, 64), contents=image.tobytes())
        for image in images
    )
    calls = [traffic_pb2.ObserveRequest(endpoint=ENDPOINT, inputs=[tensor]) for tensor in tensors]
    sidecar.traffic.Observe(iter(calls), timeout=WAIT_S)


def whole(ranking: ranking_pb2.Ranking) -> bool:
    """Whether every candidate has answered every item; until then a server may be waited for."""
    return ranking.items == ITEMS and "UNAVAILABLE" not in states(ranking).values()


def assert_same(found: Any, expected: Any) -> None:  # noqa: ANN401 - rankings, both as messages or both not
    assert (found.items, found.state) == (expected.items, expected.state)
    assert [(one.name, one.rank, one.state) for one in found.candidates] == [
        (one.name, one.rank, one.state) for one in expected.candidates
    ]
    for one, other in zip(found.candidates, expected.candidates, strict=True):
        assert one.accuracy.high > 0
        for end in ("value", "low", "high"):
            assert getattr(one.accuracy, end) == pytest.approx(getattr(other.accuracy, end), abs=1e-6)
