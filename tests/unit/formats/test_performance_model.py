from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from safetensors import safe_open

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array
from sidecar.estimation.performance.fit import fit
from sidecar.estimation.performance.space import Space
from sidecar.formats import performance_model as file_module
from sidecar.formats.performance_model import read_models, write_models
from tests.support.performance_system import SPACE, elsewhere, here, measured

KEY = "pilotfish_performance"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "m.safetensors"
    write_models({"latency_s": fit([elsewhere()], here(8), "latency_s")}, path)
    return path


@pytest.mark.parametrize("strategy", ["chooser", "linear_shift", "log_ratio_gp", "scratch"])
def test_a_model_that_was_written_answers_as_before(tmp_path: Path, strategy: str) -> None:
    model = fit([elsewhere()], here(8), "latency_s", strategy=strategy)
    write_models({"latency_s": model}, tmp_path / "m.safetensors")
    again = read_models(tmp_path / "m.safetensors")["latency_s"]
    codes = SPACE.every()[::9]
    assert again.predict(codes).high == pytest.approx(model.predict(codes).high, rel=1e-9)
    assert (again.environment, again.strategy, again.space) == ({"machine": "here"}, strategy, SPACE)
    assert again.sources[0].environment == {"machine": "elsewhere"}


def test_a_file_that_is_written_again_has_the_same_bytes(path: Path, tmp_path: Path) -> None:
    write_models(read_models(path), tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_models_over_different_options_do_not_go_into_one_file(tmp_path: Path) -> None:
    other = measured(Space(SPACE.options[:4]), "other", lambda codes: codes[:, 0], 12, 0)
    models = {"a": fit([], here(8), "latency_s"), "b": fit([], other, "latency_s")}
    with pytest.raises(InvalidError, match="the models have different options"):
        write_models(models, tmp_path / "m.safetensors")


def changed(
    path: Path,
    folder: Path,
    arrays: Callable[[dict[str, Array]], object] = lambda _: None,
    header: Callable[[dict[str, Any]], object] = lambda _: None,
) -> Path:
    with safe_open(path, framework="numpy") as file:
        content = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
        described = json.loads(file.metadata()[KEY])
    arrays(content)
    header(described)
    damaged = folder / "damaged.safetensors"
    safetensors.numpy.save_file(content, damaged, {KEY: json.dumps(described)})
    return damaged


def put(name: str, value: Array) -> Callable[[dict[str, Array]], object]:
    return lambda arrays: arrays.update({name: value})


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (lambda arrays: arrays.pop("0/codes"), "no array 'codes'"),
        (lambda arrays: arrays.pop("0/learned/log_ratio_gp/draws"), "no array 'draws'"),
        (put("0/values", np.full(8, np.nan)), "'values' does not hold finite numbers of the expected size"),
        (put("0/values", np.full(8, 1e9)), "'values' does not hold finite numbers of the expected size"),
        (put("0/values", np.zeros(7)), r"rows have shapes \(8, 5\) and \(7,\)"),
        (put("0/codes", np.full((8, 5), 99.0)), "option 'threads' has no value of code 99"),
        (put("0/source/0/draws", np.zeros((1, 3))), "hyperparameters of shape"),
        (put("0/source/0/weights", np.array([0.5])), "do not sum to 1"),
        (
            put("0/learned/log_ratio_gp/draws", np.full((16, 10), 1e300)),
            "not hold finite numbers of the expected size",
        ),
        (put("0/learned//log_ratio_gp", -np.ones(1)), "chooser's weights do not sum to 1"),
        (put("0/learned//guess", np.ones(1)), "chooser's weights do not sum to 1"),
    ],
)
def test_a_damaged_array_is_named(
    path: Path, tmp_path: Path, arrays: Callable[[dict[str, Array]], object], message: str
) -> None:
    damaged = changed(path, tmp_path, arrays=arrays)
    with pytest.raises(InvalidError, match=message) as caught:
        read_models(damaged)
    assert str(caught.value).startswith(f"{damaged}: ")
    assert "pilotfish perf fit" in str(caught.value)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (lambda header: header.update(format_version=9), "format version 9; this Pilotfish reads 1"),
        (lambda header: header.update(models=[]), "0 models, not 1 to 64"),
        (lambda header: header.pop("space"), "description is damaged"),
        (lambda header: header["models"][0].update(strategy="guess"), "no strategy 'guess'"),
        (lambda header: header["models"][0].update(metric="latency"), "does not say its unit"),
        (lambda header: header["space"]["options"][0].update(values=[]), "list at least one"),
    ],
)
def test_a_damaged_description_is_named(
    path: Path, tmp_path: Path, header: Callable[[dict[str, Any]], object], message: str
) -> None:
    with pytest.raises(InvalidError, match=message):
        read_models(changed(path, tmp_path, header=header))


def test_a_file_that_is_none_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    with pytest.raises(InvalidError, match="there is no such model"):
        read_models(tmp_path / "none")
    (tmp_path / "text").write_text("model")
    with pytest.raises(InvalidError, match="the file is no performance model"):
        read_models(tmp_path / "text")
    safetensors.numpy.save_file({"a": np.ones(1)}, tmp_path / "other")
    with pytest.raises(InvalidError, match="the file is safetensors, but no performance model"):
        read_models(tmp_path / "other")
    monkeypatch.setattr(file_module, "_MOST_BYTES", 100)
    with pytest.raises(InvalidError, match="more than 100: fit it"):
        read_models(path)
