"""`pilotfish frontier` on tables whose answers are known."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sidecar.core.errors import InvalidError
from sidecar.tools.cli import app

MODELS = """model,top1,speed,size,top1_sd
large,90,10,100,0.1
small,60,100,10,0.1
between,78,20,80,0.1
useless,60,10,100,0.1
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "models.csv"
    path.write_text(MODELS)
    return path


def run(*words: str | Path) -> int:
    code: int = app(
        ["frontier", *(str(word) for word in words)],
        result_action="return_value",
        exit_on_error=False,
        print_error=False,
    )
    return code


def said(capsys: pytest.CaptureFixture[str], *words: str | Path) -> Any:  # noqa: ANN401 - JSON
    run(*words, "--format", "json")
    document = json.loads(capsys.readouterr().out)
    document["by_name"] = {one["name"]: one for one in document["models"]}
    return document


def test_exact_numbers_have_an_exact_frontier(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, "--table", table, "--objectives", "top1:max,size:min")
    by_name = found["by_name"]
    assert [one["name"] for one in found["models"] if one["pareto_rank"] == 1] == [
        "large",
        "between",
        "small",
    ]
    assert by_name["useless"]["p_nondominated"] == 0
    assert by_name["useless"]["efficiency"]["value"] == pytest.approx(0.1)
    assert by_name["useless"]["mixture"] == {"theta": pytest.approx(0.1), "shares": {"small": 1.0}}
    # 60 % of large and 40 % of small have 78 and take 64 of 80.
    mixture = by_name["between"]["mixture"]
    assert mixture["theta"] == pytest.approx(0.8)
    assert mixture["shares"] == pytest.approx({"large": 0.6, "small": 0.4})
    assert by_name["large"]["mixture"] is None
    # Half the size is worth 5 % of top1: 60 * 10^0.07 = 70.5, 78 * 1.25^0.07 = 79.2.
    assert [one["rank"] for one in found["models"]] == [1, 2, 3, 4]
    assert by_name["small"]["expected_regret"] == pytest.approx((90 - 60 * 10**0.07) * 0.9**0.07, rel=1e-6)
    assert found["draws"] == 1


def test_a_reference_adds_the_hypervolume(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--table", table, "--objectives", "top1:max,size:min", "--reference")
    found = said(capsys, *words, "top1=50,size=110")
    # Three steps: 10 wide up to 90, 20 to 78, 70 to 60.
    assert found["hypervolume"] == pytest.approx(10 * 40 + 20 * 28 + 70 * 10)
    assert found["by_name"]["small"]["hypervolume_contribution"] == pytest.approx(70 * 10)
    assert found["by_name"]["useless"]["hypervolume_contribution"] == 0
    assert (
        "hypervolume above the reference: 1660"
        in (run(*words, "top1=50,size=110"), capsys.readouterr())[1].out
    )
    with pytest.raises(InvalidError, match="'size' is missing"):
        run(*words, "top1=50")


def test_efficiencies_of_models_that_are_sure_or_drawn(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    useless = said(capsys, "--table", table, "--objectives", "top1:max,size:min")["by_name"]["useless"]
    assert useless["chance_efficiency"] == pytest.approx(0.1)
    # Of 25 models drawn of four the small one is nearly always among them.
    assert useless["order_m_efficiency"] == pytest.approx(0.1 + 0.7 * 0.75**25 + 0.2 * 0.5**25, abs=1e-6)


def test_the_table_tells_who_would_beat_whom(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--table", table, "--objectives", "top1:max,size:min") == 0
    printed = capsys.readouterr().out
    assert "between: 60 % large + 40 % small would beat it at 0.80 of what is minimised" in printed
    assert "4 models; 3 on the frontier" in printed
    run("--table", table, "--objectives", "top1:max,speed:max", "--top", "1")
    printed = capsys.readouterr().out
    assert "4 models, the first 1 above; 3 on the frontier" in printed
    assert "between" not in printed


def test_uncertainty_is_a_number_a_share_or_a_column(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--table", table, "--objectives", "top1:max,size:min", "--uncertainty")
    by_number = said(capsys, *words, "top1=0.1")["by_name"]
    assert by_number == said(capsys, *words, "top1=top1_sd")["by_name"]
    assert by_number != said(capsys, *words, "top1=0.1", "--seed", "1")["by_name"]
    wide = said(capsys, *words, "top1=20%,size=30%")["by_name"]
    assert 0.01 < wide["useless"]["p_nondominated"] < 0.5
    assert wide["useless"]["efficiency"]["low"] < wide["useless"]["efficiency"]["high"]
    assert sum(one["p_best"] for one in wide.values()) == pytest.approx(1)


def test_what_breaks_a_constraint_is_left_out_with_the_reason(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--table", table, "--objectives", "top1:max,size:min", "--constraint")
    found = said(capsys, *words, "speed >= 15")
    assert set(found["by_name"]) == {"small", "between"}
    assert found["left_out"][0] == {
        "name": "large",
        "reason": "speed >= 15 holds with probability 0.00; 0.9 is wanted",
    }
    # 80 +- 8 is below 85 with probability 0.74.
    unsure = (*words, "size <= 85", "--uncertainty", "size=10%")
    assert set(said(capsys, *unsure)["by_name"]) == {"small"}
    assert set(said(capsys, *unsure, "--probability", "0.6")["by_name"]) == {"small", "between"}
    assert run(*words, "size <= 1") == 1
    assert "left out: large: size <= 1" in capsys.readouterr().out


def test_weights_change_what_is_best(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--table", table, "--objectives", "top1:max,size:min")
    assert said(capsys, *words)["models"][0]["name"] == "large"
    heavy = said(capsys, *words, "--weights", "size=1")
    assert heavy["models"][0]["name"] == "small"
    assert heavy["objectives"][1] == {"name": "size", "direction": "min", "weight": 1.0}


def test_the_plot_is_written(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.svg"
    words = ("--table", table, "--objectives", "top1:max,size:min", "--plot", out)
    assert run(*words, "--uncertainty", "size=20%") == 0
    assert out.read_text().startswith("<svg")
    assert capsys.readouterr().out
    with pytest.raises(InvalidError, match="--plot draws two objectives"):
        run("--table", table, "--objectives", "top1:max", "--plot", out)


def test_a_thousand_models_from_parquet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = np.exp(np.random.default_rng(0).normal(0, 1, (2, 1000)))
    path = tmp_path / "many.parquet"
    pq.write_table(pa.table({"id": [f"m{n}" for n in range(1000)], "a": values[0], "b": values[1]}), path)
    words = ("--table", path, "--objectives", "a:max,b:min", "--uncertainty", "a=5%", "--draws", "100")
    assert len(said(capsys, *words)["models"]) == 1000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--objectives", "top1"), "--objectives 'top1': write each column once, with its direction"),
        (("--objectives", "top1:up"), "--objectives 'top1:up'"),
        (("--objectives", "top1:max,top1:min"), "--objectives 'top1:min'"),
        (("--objectives", "top5:max"), "no column 'top5'; there is model, top1, speed, size, top1_sd"),
        (("--objectives", "model:max"), "column 'model' is 'large' in data row 1: write plain numbers"),
        (("--objectives", "top1:max", "--uncertainty", "top1"), "--uncertainty 'top1': write NAME=VALUE"),
        (("--objectives", "top1:max", "--uncertainty", "size=1"), "there is no objective 'size'"),
        (("--objectives", "top1:max", "--uncertainty", "top1=sd"), "no column 'sd'"),
        (("--objectives", "top1:max", "--uncertainty", "top1=-1"), "standard deviation is 0 or more"),
        (("--objectives", "top1:max", "--weights", "top1=much"), "--weights top1=much: write a number"),
        (("--objectives", "top1:max", "--weights", "top1=0"), "sum to 0"),
        (("--objectives", "top1:max", "--constraint", "top1 = 3"), "write it like"),
        (
            ("--objectives", "top1:max", "--constraint", "size >= 3", "--constraint", "size <= 2"),
            "no candidate can satisfy it",
        ),
        (("--objectives", "top1:max", "--uncertainty", "top1=1", "--draws", "0"), "--draws is 0"),
    ],
)
def test_wrong_words_are_refused_by_name(table: Path, words: tuple[str, ...], message: str) -> None:
    with pytest.raises(InvalidError, match=message):
        run("--table", table, *words)


def test_a_number_that_is_not_above_0_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "models.csv"
    path.write_text("model,top1,size\na,90,0\n")
    with pytest.raises(InvalidError, match=r"column 'size' is 0 in data row 1 \(a\): .* above 0"):
        run("--table", path, "--objectives", "top1:max,size:min")


def test_wrong_use_has_exit_code_2(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("pilotfish")
    words = ["frontier", "--table", tmp_path / "none.csv", "--objectives", "top1:max"]
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert done.returncode == 2
    assert "there is no such file" in done.stderr
