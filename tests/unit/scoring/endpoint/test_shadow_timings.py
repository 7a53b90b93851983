"""What the serving process is told of how long shadow runs took."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from sidecar.config.schema import Endpoint
from sidecar.core.tensors import Array, Batch, TensorSpec
from sidecar.costs.candidate import Costs
from sidecar.scoring.endpoint.scorer import EndpointScorer
from sidecar.scoring.report import report
from tests.support.made_evidence import profile

ROWS = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)


class Ticking:
    """Says one class; every run takes a second a row, and the first of all ten times as long."""

    inputs = (TensorSpec("x", "FP32", (2,)),)

    def __init__(self) -> None:
        self.now = 0.0
        self.runs = 0

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        rows = len(inputs["x"])
        self.now += rows * (10 if not self.runs else 1)
        self.runs += 1
        return {"p": np.tile([0.9, 0.1], (rows, 1))}

    def close(self) -> None:
        pass


@pytest.fixture
def model() -> Ticking:
    return Ticking()


@pytest.fixture
def scorer(model: Ticking, tmp_path: Path) -> EndpointScorer:
    (tmp_path / "a").touch()
    candidate = {"name": "a", "profile": tmp_path / "a", "onnx": {"path": tmp_path / "a", "batch": 16}}
    made = profile(ROWS.astype(float))
    object.__setattr__(made, "inputs", Ticking.inputs)
    object.__setattr__(made, "output", "p")
    return EndpointScorer(
        Endpoint.model_validate({"name": "e", "incumbent": "a", "candidates": [candidate]}),
        open_model=lambda _: (model, made),
        costs=Costs(shadow_threads=1),
        clock=lambda: model.now,
    )


def test_the_batch_that_came_most_often_is_told_with_its_quartile_and_median(
    scorer: EndpointScorer,
) -> None:
    for row in ROWS[:100]:
        scorer.observe(Batch({"x": row[None]}, {}), b"")
    scorer.load()
    scorer.catch_up()
    made = scorer.round()
    while made is None:
        scorer.step()
        made = scorer.round()
    told = report(scorer, made, generation=1, made_at_s=0, cpu_s=0, resident_bytes=0)

    timing = told.counters.shadow_timings["a"]
    # Six batches of 16, of which the first was slow, and a rest of 4.
    assert (timing.batch_size, timing.runs) == (16, 6)
    assert (timing.lower_quartile_s, timing.median_s) == (16, 16)
    assert told.counters.shadow_s["a"] == 160 + 5 * 16 + 4


def test_a_candidate_that_never_ran_has_no_timing(scorer: EndpointScorer) -> None:
    scorer.load()
    made = scorer.round()
    assert made is not None
    told = report(scorer, made, generation=1, made_at_s=0, cpu_s=0, resident_bytes=0)
    assert not told.counters.shadow_timings
