from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sidecar.core.errors import InvalidError
from sidecar.formats.profile import read_profile
from sidecar.inference.onnx import OnnxModel
from sidecar.tools.cli.profile import app
from tests.support.models import DigitsModels, TextModel


@pytest.fixture
def data(digits_models: DigitsModels, tmp_path: Path) -> Path:
    labels = digits_models.train_labels
    np.savez(tmp_path / "train.npz", X=digits_models.train["upright"], y=labels)
    lines = [
        ",".join(map(str, [*row, label]))
        for row, label in zip(
            digits_models.validation["upright"], digits_models.validation_labels, strict=True
        )
    ]
    header = ",".join([*(f"p{place}" for place in range(64)), "y"])
    (tmp_path / "validation.csv").write_text("\n".join([header, *lines]))
    return tmp_path


def _run(*words: str | Path) -> None:
    app([str(word) for word in words], result_action="return_value", exit_on_error=False, print_error=False)


def test_build_and_show(digits_models: DigitsModels, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, out = digits_models.paths["upright"], data / "p.safetensors"
    build = ("build", "--model", model, "--data", data / "train.npz", "--label", "y", "--out", out)

    _run(*build, "--validation", data / "validation.csv", "--partition-rows", "300", "--seed", "5")

    printed = capsys.readouterr()
    assert printed.out.startswith(f"wrote {out}: 1200 rows, 4 partitions of 300, 64 features, 10 classes, ")
    assert not printed.err
    profile = read_profile(out, model_sha256=OnnxModel(model).sha256)
    truth = digits_models.estimators["upright"].score(
        digits_models.validation["upright"], digits_models.validation_labels
    )
    assert profile.validation is not None
    assert profile.validation.accuracy == pytest.approx(truth)

    again = data / "again.safetensors"
    _run(
        *build[:-1], again, "--validation", data / "validation.csv", "--partition-rows", "300", "--seed", "5"
    )
    assert again.read_bytes() == out.read_bytes()
    capsys.readouterr()

    _run("show", out, "--format", "json")
    shown = json.loads(capsys.readouterr().out)
    assert shown["rows"] == 1200
    assert shown["partitions"] == 4
    assert shown["size_bytes"] == out.stat().st_size
    assert shown["validation"]["accuracy"] == pytest.approx(truth)
    assert [feature["high"] for feature in shown["features"]] == profile.high.tolist()
    assert shown["classes"] == list(digits_models.classes)

    _run("show", out)
    text = capsys.readouterr().out
    for part in (profile.model_sha256, "format 2", f"{truth:.4f}", "X[0]", "the first 20 of 64"):
        assert part in text


def test_show_without_validation(
    digits_models: DigitsModels, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = data / "p.safetensors"
    _run(
        *("build", "--model", digits_models.paths["rotated"], "--data", data / "train.npz", "--out", out),
        *("--features", "X", "--classes", "a,b,c,d,e,f,g,h,i,j"),
    )
    _run("show", out)
    text = capsys.readouterr().out
    assert "no validation" in text
    assert read_profile(out).classes == tuple("abcdefghij")


def test_show_lists_a_texts_words_and_not_their_buckets(
    text_model: TextModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{text},{label}" for text, label in zip(text_model.texts, text_model.labels, strict=True)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,class", *rows]))
    out = tmp_path / "p.safetensors"
    data = ("--data", tmp_path / "rows.csv", "--label", "class", "--partition-rows", "4")
    _run("build", "--model", text_model.path, "--out", out, *data)
    assert "2 partitions of 4, 6 words, 2 classes" in capsys.readouterr().out
    _run("show", out)
    text = capsys.readouterr().out
    assert "probabilities (probabilities)" in text
    assert "gloomy" in text
    assert "words[" not in text
    _run("show", out, "--format", "json")
    shown = json.loads(capsys.readouterr().out)
    assert shown["words"]["gloomy"] == 4
    assert shown["output_kind"] == "probabilities"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"--model": "none.onnx"}, "the model cannot be read"),
        ({"--data": "none.npz"}, "no such file"),
        ({"--out": "absent/p.safetensors"}, "there is no such folder"),
        ({"--output": "label"}, "no output 'label' of floats"),
        ({"--features": "Z"}, "no column 'Z'; there is"),
        ({"--label": "z"}, "no column 'z'; there is"),
        ({"--partition-rows": "5000"}, "1200 rows do not fill one partition of 5000"),
        ({"--classes": "a,b"}, "--classes names 2 distinct classes"),
    ],
)
def test_faults_are_told_before_anything_is_written(
    digits_models: DigitsModels,
    data: Path,
    changes: dict[str, str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(data)
    options = {
        "--model": str(digits_models.paths["upright"]),
        "--data": "train.npz",
        "--out": "p.safetensors",
        "--label": "y",
    } | changes
    with pytest.raises(InvalidError, match=message):
        _run("build", *(word for option in options.items() for word in option))
    assert sorted(path.name for path in data.iterdir()) == ["train.npz", "validation.csv"]


def test_show_refuses_what_is_no_profile(tmp_path: Path) -> None:
    (tmp_path / "p.safetensors").write_bytes(b"no profile")
    with pytest.raises(InvalidError, match=r"p\.safetensors: the file is no profile"):
        _run("show", tmp_path / "p.safetensors")
