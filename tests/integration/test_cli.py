"""The command line as a user runs it: what it prints and its exit codes."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.support.models import DigitsModels
from tests.support.running_sidecar import candidate, configuration, write, write_profiles


@pytest.fixture(scope="module")
def folder(digits_models: DigitsModels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli")
    write_profiles(digits_models, path)
    return path


def pilotfish(*words: str | Path, timeout_s: float = 100) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("pilotfish")
    return subprocess.run(  # noqa: S603 - our own program
        [program, *map(str, words)], capture_output=True, text=True, check=False, timeout=timeout_s
    )


def test_check_says_ok_or_all_faults(folder: Path) -> None:
    path = write(folder, configuration())
    good = pilotfish("check", "--config", path)
    assert (good.returncode, good.stdout) == (0, f"{path}: ok\n")

    broken = configuration(candidates=[candidate("upright", profile="rotated"), candidate("gone")])
    path = write(folder, broken)
    bad = pilotfish("check", "--config", path, "--format", "json")
    assert bad.returncode == 1
    faults = json.loads(bad.stdout)["faults"]
    assert len(faults) == 2
    assert "pilotfish profile build" in faults[0]
    assert "gone.onnx" in faults[1]

    small = pilotfish("check", "--config", write(folder, configuration(window={"items": 60})))
    assert small.returncode == 1
    assert "the window holds 60 items and the profile's partitions have 100" in small.stdout

    broken["endpoints"][0]["sampel"] = broken["endpoints"][0].pop("sample")
    broken["endpoints"][0]["incumbent"] = "nobody"
    broken["serve"]["grpc"] = "nowhere"
    bad = pilotfish("check", "--config", write(folder, broken))
    assert bad.returncode == 1
    assert "did you mean 'sample'?" in bad.stdout
    assert "'nobody' is not a candidate" in bad.stdout
    assert "write HOST:PORT" in bad.stdout
    # The candidates are opened all the same.
    assert "gone.onnx" in bad.stdout
    assert "5 faults" in bad.stdout


def test_the_schema_is_json_and_accepts_what_we_accept() -> None:
    result = pilotfish("check", "--schema")
    schema = json.loads(result.stdout)
    assert result.returncode == 0
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == {"endpoints"}


def ranked(folder: Path, *words: str | Path) -> Any:  # noqa: ANN401 - JSON
    path = folder / "candidates.yaml"
    path.write_text(yaml.safe_dump({"candidates": [candidate("upright"), candidate("rotated")]}))
    result = pilotfish("rank", "--candidates", path, *words, "--format", "json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_rank_offline_scores_itself_where_there_are_labels(folder: Path, digits_models: DigitsModels) -> None:
    document = ranked(folder, "--data", folder / "rotated-val.npz", "--labels", "y")
    first, second = document["candidates"]
    assert (first["name"], second["name"]) == ("rotated", "upright")
    truth = digits_models.estimators["rotated"].score(
        digits_models.validation["rotated"], digits_models.validation_labels
    )
    assert first["true_accuracy"] == pytest.approx(truth)
    assert document["score"].pop("spearman") == pytest.approx(1)
    assert document["score"] == {"top": "rotated", "best": "rotated", "regret": 0.0}
    assert first["measures"]["feature_coverage"] > second["measures"]["feature_coverage"]


def test_rank_without_labels_says_nothing_of_truth(folder: Path, digits_models: DigitsModels) -> None:
    np.savez(folder / "plain.npz", X=digits_models.validation["upright"])
    document = ranked(folder, "--data", folder / "plain.npz")
    assert document["candidates"][0]["name"] == "upright"
    assert "score" not in document
    assert "true_accuracy" not in document["candidates"][0]


def test_predictions_alone_are_ranked(folder: Path) -> None:
    truth = np.arange(300) % 3
    fair = np.where(np.arange(300) % 4 == 0, (truth + 1) % 3, truth)
    poor = np.where(np.arange(300) % 2 == 0, (truth + 2) % 3, truth)
    path = folder / "pool.npz"
    np.savez(
        path,
        allow_pickle=False,
        **{"a|predictions": np.stack([poor, truth, fair], axis=1), "a|labels": truth},
    )
    result = pilotfish("rank", "--predictions", path, "--labels", "a|labels", "--format", "json")
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert [one["name"] for one in document["candidates"]] == ["model-1", "model-2", "model-0"]
    assert [one["true_accuracy"] for one in document["candidates"]] == [1, 0.75, 0.5]
    assert document["score"] == {"top": "model-1", "best": "model-1", "regret": 0, "spearman": 1}
    table = pilotfish("rank", "--predictions", path)
    assert "model-2" in table.stdout
    assert "serves now" not in table.stdout
    both = pilotfish("rank", "--predictions", path, "--data", path)
    assert (both.returncode, both.stdout) == (2, "")
    assert "--predictions alone" in both.stderr


def test_a_report_is_one_page_of_its_own(folder: Path) -> None:
    source = ("--candidates", write(folder, configuration()), "--data", folder / "rotated-val.npz")
    page = folder / "report.html"
    result = pilotfish("rank", *source, "--labels", "y", "--report", page)
    assert result.returncode == 0, result.stderr
    assert f"wrote {page}" in result.stdout
    text = page.read_text(encoding="utf-8")
    assert all(word in text for word in ("upright", "rotated", "By the labels", "feature_coverage", "X[24]"))
    assert not [word for word in ("http:", "https:", "nan<") if word in text]

    missing = folder / "nowhere" / "report.html"
    failed = pilotfish("rank", *source, "--report", missing)
    assert (failed.returncode, failed.stdout) == (2, "")
    assert f"names a file in {missing.parent}, but there is no such folder" in failed.stderr


def test_predictions_alone_make_a_report(folder: Path) -> None:
    truth = np.arange(300) % 3
    path, page = folder / "answers.npz", folder / "answers.html"
    np.savez(path, predictions=np.stack([truth, truth[::-1]], axis=1), models=np.array(["<b>", "other"]))
    result = pilotfish("rank", "--predictions", path, "--report", page, "--format", "json")
    assert result.returncode == 0, result.stderr
    assert len(json.loads(result.stdout)["candidates"]) == 2
    text = page.read_text(encoding="utf-8")
    assert "&lt;b&gt;" in text
    assert "<b>" not in text
    assert "Not known for all candidates" in text


def test_few_rows_are_ranked_as_unknown(folder: Path) -> None:
    result = pilotfish(
        *("rank", "--candidates", folder / "candidates.yaml", "--data", folder / "rotated-val.npz"),
        *("--label", "y", "--features", "X", "--limit", "20"),
    )
    assert result.returncode == 0, result.stderr
    assert "INSUFFICIENT_DATA" in result.stdout
    assert "top pick -" in result.stdout


def test_the_table_shows_names_and_states(folder: Path) -> None:
    result = pilotfish(
        "rank",
        "--candidates",
        folder / "candidates.yaml",
        "--data",
        folder / "rotated-val.npz",
        "--labels",
        "y",
    )
    assert "rotated" in result.stdout
    assert "NEAR_CHANCE" in result.stdout
    assert "regret 0.000" in result.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ("rank", "--candidates", "nowhere.yaml", "--data", "x.npz"),
            2,
            "nowhere.yaml: file: cannot be read",
        ),
        (("check",), 2, "--config"),
        (("serve", "--config", "nowhere.yaml"), 2, "cannot be read"),
        (("ranq",), 2, "Did you mean"),
        (("profile", "show", "nowhere.safetensors"), 2, "nowhere.safetensors"),
    ],
)
def test_wrong_use_has_code_2_and_a_mend(words: tuple[str, ...], code: int, said: str) -> None:
    result = pilotfish(*words)
    assert result.returncode == code
    assert said in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


def test_a_taken_port_has_code_3(folder: Path) -> None:
    for section in ("grpc", "http"):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            config = configuration()
            config["serve"][section] = f"127.0.0.1:{taken.getsockname()[1]}"
            result = pilotfish("serve", "--config", write(folder, config))
        assert result.returncode == 3
        assert f"serve.{section}" in result.stderr
        assert "Traceback" not in result.stderr


def test_the_demo_picks_well_and_accounts_for_everything() -> None:
    result = pilotfish("demo", "--format", "json", timeout_s=110)
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert [phase["name"] for phase in document["phases"]] == ["upright", "rotated", "noisy"]
    for phase in document["phases"]:
        assert phase["regret"] <= 0.05 or phase["state"] == "TIED"
    by_accuracy, by_both, bounded = document["preferred"]
    assert by_both["first"] != "digits-ensemble"
    assert (by_accuracy["broken"], by_both["broken"]) == ([], [])
    # Where other programs disturb the timing, one more may not surely keep the bound.
    assert "digits-ensemble" in bounded["broken"]
    assert bounded["first"] not in bounded["broken"]
    counts = document["accounting"]
    assert counts["seen"] == counts["sampled"] + counts["skipped"] + counts["dropped"] > 0
    assert document["grpc"]
    assert document["http"]
