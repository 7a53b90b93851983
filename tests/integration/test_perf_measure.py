"""`pilotfish perf measure` on real models, through onnxruntime and behind a V2 server."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sidecar.core.errors import InvalidError, UnavailableError
from sidecar.inference.onnx import OnnxModel
from sidecar.serving.incumbent.server import EmbeddedServer
from sidecar.tools.cli.perf import app
from sidecar.tools.records.performance_table import read_tables
from tests.support.models import DigitsModels

QUICK = ("--seconds", "0", "--requests", "3", "--rounds", "5")


@pytest.fixture
def space(tmp_path: Path) -> Path:
    path = tmp_path / "space.yaml"
    path.write_text("options: {batch_size: [1, 4], provider: [cpu, cuda]}\nfixed: {spinning: false}\n")
    return path


@pytest.fixture
def served(digits_models: DigitsModels) -> Iterator[str]:
    """The address of a server that has the model `digits`."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = EmbeddedServer({"digits": OnnxModel(digits_models.paths["upright"])}, max_message_bytes=1 << 20)
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(30)
    yield server.address
    asyncio.run_coroutine_threadsafe(server.close(0), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def run(*words: str | Path) -> int:
    code: int = app(
        ["measure", *map(str, words)], result_action="return_value", exit_on_error=False, print_error=False
    )
    return code


def test_an_onnx_model_becomes_a_table_and_what_does_not_run_is_told(
    digits_models: DigitsModels, space: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "t.parquet"
    path = digits_models.paths["upright"]
    asked = ("--model", path, "--space", space, "--budget", "2", "--out", out, *QUICK)
    assert run(*asked, "--format", "json") == 1

    document = json.loads(capsys.readouterr().out)
    # The defaults, and what is farthest from them.
    (failure,) = document["failures"]
    assert failure["configuration"] == {"batch_size": 4, "provider": "cuda"}
    assert "no CUDAExecutionProvider" in failure["reason"]
    assert (
        any("energy_j" in note for note in document["notes"]) or "energy_j" in document["rows"][0]["metrics"]
    )
    (table,) = read_tables(out)
    assert table.environment["model_sha256"] == OnnxModel(path).sha256
    assert table.environment["spinning"] == "false"
    assert table.environment["server"].startswith("onnxruntime ")
    assert len(table) == len(document["rows"]) == 1
    assert table.metrics.keys() >= {"latency_p50_s_low", "latency_p99_s", "throughput_per_s", "memory_bytes"}
    assert (table.metrics["latency_p50_s_low"] <= table.metrics["latency_p50_s_high"]).all()
    assert not list(tmp_path.glob("*.unfinished"))


def test_real_items_are_sent_where_they_are_given(
    digits_models: DigitsModels, space: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "items.npz"
    np.savez(data, X=digits_models.validation["upright"][:2])
    space.write_text("options: {batch_size: [4]}\n")
    out = tmp_path / "t.parquet"
    asked = ("--model", digits_models.paths["upright"], "--space", space, "--budget", "1", "--out", out)
    assert run(*asked, *QUICK, "--data", data) == 0
    assert read_tables(out)[0].environment["workload"] == "items.npz"
    assert f"wrote {out}: 1 configurations" in capsys.readouterr().out


def test_a_killed_measurement_goes_on_where_it_stopped(served: str, tmp_path: Path) -> None:
    space, out = tmp_path / "space.yaml", tmp_path / "t.parquet"
    space.write_text("options: {batch_size: [4]}\n")
    asked = ("--v2", served, "--model", "digits", "--space", space, "--budget", "1", "--out", out, *QUICK)
    command = [str(Path(sys.executable).with_name("pilotfish")), "perf", "measure", *map(str, asked)]
    journal = tmp_path / "t.parquet.unfinished"
    with subprocess.Popen(command) as process:  # noqa: S603 - our own program
        while not journal.exists() or journal.read_text().count("\n") < 2:
            assert process.poll() is None
        process.kill()
    before = journal.read_text().splitlines()
    assert not out.exists()

    with pytest.raises(InvalidError, match="other work"):
        run(*asked, "--seed", "1")
    assert journal.read_text().splitlines()[: len(before) - 1] == before[:-1]
    run(*asked)
    assert len(read_tables(out)[0]) == 1
    assert not journal.exists()


def test_a_model_behind_a_v2_server(served: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    space, out = tmp_path / "space.yaml", tmp_path / "t.parquet"
    space.write_text("options: {batch_size: [1, 8], concurrency: [1, 4]}\n")
    asked = ("--space", space, "--budget", "9", "--out", out, *QUICK)
    assert run("--v2", served, "--model", "digits", *asked) == 0
    (table,) = read_tables(out)
    assert len(table) == 4
    assert table.environment["server"].startswith("pilotfish ")
    assert "memory_bytes" not in table.metrics
    assert "no column memory_bytes" in capsys.readouterr().out

    with pytest.raises(InvalidError, match="nobody"):
        run("--v2", served, "--model", "nobody", *asked)
    with pytest.raises(InvalidError, match="--hardware"):
        run("--v2", "models.example:8001", "--model", "digits", *asked)


def test_a_server_that_is_not_there_is_no_fault_of_the_model(tmp_path: Path, space: Path) -> None:
    space.write_text("options: {batch_size: [1, 8]}\n")
    with pytest.raises(UnavailableError, match="see that the server runs"):
        run("--v2", "127.0.0.1:1", "--model", "m", "--space", space, "--budget", "1", "--out", tmp_path / "t")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--budget", "0"), "--budget"),
        (("--budget", "1", "--rounds", "4"), "give at least 5"),
        (("--budget", "1", "--requests", "0"), "--requests"),
    ],
)
def test_too_little_is_refused(words: tuple[str, ...], message: str, space: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match=message):
        run("--model", "m.onnx", "--space", space, "--out", tmp_path / "t.parquet", *words)
