"""`pilotfish perf measure` of a model that a real Triton serves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar.tools.cli.perf import app
from sidecar.tools.records.performance_table import read_tables
from tests.components.triton_server import TritonServer

# Its largest batch in the tests.
MOST = 16


@pytest.fixture
def triton(folder: Path, tmp_path: Path) -> Iterator[TritonServer]:
    server = TritonServer({"upright": folder / "upright.onnx"}, tmp_path)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def test_a_model_behind_triton_becomes_a_table(
    triton: TritonServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space, out = tmp_path / "space.yaml", tmp_path / "t.parquet"
    space.write_text(f"options: {{batch_size: [1, {MOST}, {2 * MOST}], concurrency: [1, 4]}}\n")
    words = f"measure --v2 {triton.address} --model upright --space {space} --budget 6 --out {out} --rounds 5"
    code = app(f"{words} --seconds 0.05 --requests 20 --format json", result_action="return_value")

    document = json.loads(capsys.readouterr().out)
    # What Triton refuses is told in its words, and does not keep the rest from being measured.
    assert code == 1
    assert {one["configuration"]["batch_size"] for one in document["failures"]} == {2 * MOST}
    assert all(f"batch-size must be <= {MOST}" in one["reason"] for one in document["failures"])
    (table,) = read_tables(out)
    assert len(table) == 4
    assert table.environment["server"].startswith("triton 2.")
    assert table.environment["model"] == "upright"
    throughput = {
        tuple(table.space.configuration(codes).values()): value
        for codes, value in zip(table.codes, table.metric("throughput_per_s"), strict=True)
    }
    assert throughput[MOST, 4] > 2 * throughput[1, 1]
