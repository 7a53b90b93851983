"""`pilotfish perf fit`, `predict`, `suggest`, `explain` on tables of a system whose costs are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Floats
from sidecar.estimation.performance.options import ONNX
from sidecar.estimation.performance.space import Space
from sidecar.estimation.performance.table import PerformanceTable
from sidecar.tools.cli.perf import app
from sidecar.tools.records.performance_table import write_tables

SPACE = Space(
    (
        ONNX["intra_op_threads"].option("intra_op_threads", [1, 2, 4], None),
        ONNX["batch_size"].option("batch_size", [1, 2, 4, 8, 16], None),
        ONNX["spinning"].option("spinning", [False, True], None),
    )
)


def latency_s(codes: Floats, slowness: float) -> Floats:
    return np.asarray(slowness * 1e-3 * (1 + codes[:, 1] / codes[:, 0]))


def table(hardware: str, slowness: float, rows: int | None = None) -> PerformanceTable:
    rng = np.random.default_rng(0)
    codes = rng.permutation(SPACE.every())[:rows]
    noise = np.exp(rng.normal(0, 0.02, (2, len(codes))))
    latency = latency_s(codes, slowness) * noise[0]
    metrics = {
        "latency_p50_s": latency,
        "latency_p50_s_low": latency * 0.95,
        "latency_p50_s_high": latency * 1.05,
        "memory_bytes": 1e7 * codes[:, 1] * noise[1],
    }
    return PerformanceTable(SPACE, {"hardware": hardware}, codes, metrics)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("perf")
    write_tables([table("server", 1.0)], path / "server.parquet")
    write_tables([table("edge", 3.0, 8)], path / "edge.parquet")
    write_tables([table("a", 1.0), table("b", 1.0)], path / "two.parquet")
    return path


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    out = folder / "edge.cost"
    run("fit", "--target", folder / "edge.parquet", "--source", folder / "server.parquet", "--out", out)
    return out


def run(*words: str | Path) -> int:
    code: int = app(
        [str(word) for word in words], result_action="return_value", exit_on_error=False, print_error=False
    )
    return code


def said(capsys: pytest.CaptureFixture[str], *words: str | Path) -> Any:  # noqa: ANN401 - JSON
    run(*words, "--format", "json")
    return json.loads(capsys.readouterr().out)


def test_fit_says_what_it_followed_and_how_well_it_predicts_what_it_did_not_see(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder / "again.cost"
    words = ("fit", "--target", folder / "edge.parquet", "--source", folder / "server.parquet", "--out", out)
    document = said(capsys, *words)
    assert document["metrics"].keys() == {"latency_p50_s", "memory_bytes"}
    fitted = document["metrics"]["latency_p50_s"]
    assert (fitted["sources"], fitted["measured"]) == (1, 8)
    assert fitted["held_out_error"] < 0.1
    assert sum(fitted["weights"].values()) == pytest.approx(1)

    run(*words)
    assert f"wrote {out}: latency_p50_s, memory_bytes" in capsys.readouterr().out


def test_a_metric_that_cannot_be_learned_is_told_and_the_others_are_fitted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = table("edge", 1.0, 8)
    constant = {**odd.metrics, "energy_j": np.full(len(odd), 2.0)}
    write_tables([PerformanceTable(SPACE, odd.environment, odd.codes, constant)], tmp_path / "odd.parquet")
    out = tmp_path / "m.cost"
    document = said(capsys, "fit", "--target", tmp_path / "odd.parquet", "--out", out)
    assert "nothing to learn" in document["left_out"]["energy_j"]
    assert document["metrics"].keys() == {"latency_p50_s", "memory_bytes"}


def test_a_target_of_several_environments_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="2 environments"):
        run("fit", "--target", folder / "two.parquet", "--out", tmp_path / "m.cost")


def test_predict_knows_configurations_that_were_never_measured_here(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("predict", "--model", model, "--set", "batch_size=16", "--set", "intra_op_threads=4")
    document = said(capsys, *words)
    assert document["configuration"] == {"intra_op_threads": 4, "batch_size": 16, "spinning": True}
    found = document["metrics"]["latency_p50_s"]
    truth = float(latency_s(np.array([[4.0, 16.0, 1.0]]), 3.0)[0])
    assert found["value"] == pytest.approx(truth, rel=0.1)
    assert found["low"] < found["value"] < found["high"]

    run(*words)
    assert "intra_op_threads=4 batch_size=16 spinning=true" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("batch_size", "NAME=VALUE"),
        ("batch_size=[1]", "NAME=VALUE"),
        ("batch_size={", "NAME=VALUE"),
        ("batch_size=99", "from 1 to 16"),
        ("bach_size=1", "use one of batch_size"),
    ],
)
def test_a_configuration_that_is_none_is_refused(model: Path, word: str, message: str) -> None:
    with pytest.raises(InvalidError, match=message):
        run("predict", "--model", model, "--set", word)


def test_suggest_lists_what_was_not_measured(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = said(capsys, "suggest", "--model", model, "--count", "3")
    assert document["metric"] == "latency_p50_s"
    measured = [SPACE.configuration(row) for row in table("edge", 3.0, 8).codes]
    assert len(document["next"]) == 3
    for one in document["next"]:
        assert one["configuration"] not in measured
        assert one["low"] < one["value"] < one["high"]

    assert run("suggest", "--model", model, "--metric", "memory_bytes") == 0
    assert "next to measure" in capsys.readouterr().out


def test_suggest_finds_the_cheapest_configuration_within_limits_or_says_why_none(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("suggest", "--model", model, "--minimise", "memory_bytes")
    document = said(capsys, *words, "--at-most", "latency_p50_s=0.005")
    assert document["configuration"]["batch_size"] == 1
    assert document["configuration"]["intra_op_threads"] > 1
    assert document["metrics"]["latency_p50_s"]["high"] <= 0.005

    assert run(*words, "--at-most", "latency_p50_s=1e-6") == 1
    assert "none of 30 configurations" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--minimise", "cost_usd"), "no model of 'cost_usd'"),
        (("--minimise", "memory_bytes", "--at-most", "latency_p50_s=fast"), "write a number"),
        (("--at-most", "latency_p50_s=1"), "--minimise"),
        (("--metric", "energy_j"), "no model of 'energy_j'"),
    ],
)
def test_what_suggest_cannot_do_is_said(model: Path, words: tuple[str, ...], message: str) -> None:
    with pytest.raises(InvalidError, match=message):
        run("suggest", "--model", model, *words)


def test_explain_names_the_options_that_matter_here_and_in_the_source(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = said(capsys, "explain", "--model", model)
    assert document["influences"][0]["options"] == ["batch_size"]
    shares = {tuple(one["options"]): one for one in document["influences"]}
    assert shares["batch_size",]["target"] > 0.3
    assert shares["batch_size",]["sources"][0] > 0.3
    assert shares.get(("spinning",), {"target": 0})["target"] < 0.05
    assert document["sources"] == [{"hardware": "server"}]

    run("explain", "--model", model)
    printed = capsys.readouterr().out
    assert "source 1: hardware=server" in printed
    assert "spinning" not in printed
