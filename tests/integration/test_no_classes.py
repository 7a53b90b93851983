"""Regressors as candidates: from the command line's profiles to a ranking over gRPC, a table and a page."""

from __future__ import annotations

import json
import urllib.request
import warnings
from pathlib import Path

import numpy as np
import pytest
import skl2onnx
import yaml
from pilotfish.v1 import ranking_pb2, traffic_pb2
from skl2onnx.common.data_types import FloatTensorType
from sklearn.linear_model import LinearRegression

from sidecar.core.errors import InvalidError
from sidecar.formats.profile import read_profile
from sidecar.tools.cli.profile import app
from sidecar.tools.cli.rank import rank
from tests.support.models import DigitsModels
from tests.support.running_sidecar import (
    ENDPOINT,
    WAIT_S,
    RunningSidecar,
    candidate,
    running,
    states,
    write_profiles,
)

REASON = "gives no classes: ordered by how its source's inputs compare with the traffic alone"
REGRESSORS = [candidate("ink-upright"), candidate("ink-rotated")]


def build(*words: str | Path) -> None:
    app(["build", *map(str, words)], result_action="return_value", exit_on_error=False, print_error=False)


@pytest.fixture(scope="module")
def folder(digits_models: DigitsModels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models that tell the digit as a number, and classifiers beside them."""
    path = tmp_path_factory.mktemp("regressors")
    write_profiles(digits_models, path)
    for domain, images in digits_models.train.items():
        name = f"ink-{domain}"
        model = LinearRegression().fit(images, digits_models.train_labels)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            onnx = skl2onnx.to_onnx(model, initial_types=[("X", FloatTensorType([None, 64]))])
        (path / f"{name}.onnx").write_bytes(onnx.SerializeToString())
        build(
            *("--model", path / f"{name}.onnx", "--data", path / f"{domain}.npz", "--features", "X"),
            *("--no-classes", "--partition-rows", "100", "--out", path / f"{name}.safetensors"),
        )
    return path


@pytest.fixture
def listed(folder: Path) -> Path:
    path = folder / "candidates.yaml"
    path.write_text(yaml.safe_dump({"candidates": REGRESSORS}))
    return path


def test_a_profile_without_classes_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "ink-upright.safetensors"
    profile = read_profile(path)
    assert (profile.output, profile.output_kind, profile.classes, profile.validation) == (
        "",
        "none",
        (),
        None,
    )
    app(["show", str(path)], result_action="return_value")
    text = " ".join(capsys.readouterr().out.split())
    assert "64 features, no classes, no validation" in text
    assert "prior" not in text
    app(["show", str(path), "--format", "json"], result_action="return_value")
    shown = json.loads(capsys.readouterr().out)
    assert (shown["output_kind"], shown["classes"], shown["class_prior"]) == ("none", [], [])


@pytest.mark.parametrize(
    ("option", "value"),
    [("--output", "variable"), ("--label", "y"), ("--classes", "a,b"), ("--validation", "upright-val.npz")],
)
def test_what_speaks_of_classes_is_refused_with_no_classes(folder: Path, option: str, value: str) -> None:
    with pytest.raises(InvalidError, match=f"leave {option} out"):
        build(
            *("--model", folder / "ink-upright.onnx", "--data", folder / "upright.npz", "--features", "X"),
            *("--no-classes", "--out", folder / "new.safetensors", option, value),
        )
    assert not (folder / "new.safetensors").exists()


def send(sidecar: RunningSidecar, images: np.ndarray) -> None:
    tensors = [
        traffic_pb2.Tensor(name="X", datatype="FP32", shape=[1, 64], contents=image.tobytes())
        for image in images
    ]
    sidecar.traffic.Observe(
        iter(traffic_pb2.ObserveRequest(endpoint=ENDPOINT, inputs=[one]) for one in tensors), timeout=WAIT_S
    )


def test_observed_traffic_orders_two_regressors(folder: Path, digits_models: DigitsModels) -> None:
    with running(folder, capture=[], incumbent="ink-upright", candidates=REGRESSORS) as sidecar:
        send(sidecar, digits_models.validation["rotated"][:200])
        sidecar.ranking_when(lambda ranking: ranking.items == 200)
        ranking = sidecar.rankings.GetRanking(ranking_pb2.GetRankingRequest(endpoint=ENDPOINT)).ranking
        assert [(one.name, one.rank) for one in ranking.candidates] == [
            ("ink-rotated", 1),
            ("ink-upright", 2),
        ]
        assert not any(one.HasField("accuracy") or one.HasField("p_best") for one in ranking.candidates)
        assert ranking.state == ranking.candidates[0].state == ranking_pb2.STATE_INSUFFICIENT_DATA
        assert ranking.reason.startswith(REASON)
        measured = {one.name: one for one in sidecar.explain("ink-rotated").measures}
        assert measured["feature_coverage"].HasField("value")
        assert measured["agreement"].reason == "the candidates give no classes"
        with urllib.request.urlopen(f"{sidecar.http}/metrics", timeout=WAIT_S) as response:
            text = response.read().decode()
        one = f'{{candidate="ink-rotated",endpoint="{ENDPOINT}"}}'
        assert f"pilotfish_candidate_rank{one} 1.0" in text
        assert f"pilotfish_shadow_items_total{one} 0.0" in text
        assert "pilotfish_candidate_accuracy_ratio{" not in text
        assert "nan" not in text.lower()


def test_beside_an_incumbent_with_classes_it_is_unavailable(
    folder: Path, digits_models: DigitsModels
) -> None:
    mixed = [candidate("upright"), candidate("rotated"), candidate("ink-upright")]
    with running(folder, capture=[], candidates=mixed) as sidecar:
        send(sidecar, digits_models.validation["upright"][:100])
        ranking = sidecar.ranking_when(lambda ranking: ranking.items == 100)
        assert states(ranking)["ink-upright"] == "UNAVAILABLE"
        assert "it gives no classes, but upright gives some" in ranking.candidates[-1].reason
        assert ranking.candidates[0].HasField("accuracy")


def test_rank_prints_the_order_and_a_page(
    folder: Path, listed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = folder / "page.html"
    rank(candidates=listed, data=folder / "rotated-val.npz", features="X", report=page)
    text = capsys.readouterr().out
    assert text.index("ink-rotated") < text.index("ink-upright")
    assert text.count("gives no classes") == 1
    assert "regret" not in text
    html = page.read_text(encoding="utf-8")
    assert REASON.replace("'", "&#x27;") in html or REASON in html
    assert "No item was answered with a class" in html
    assert ">nan<" not in html


def test_labels_are_refused(folder: Path, listed: Path) -> None:
    with pytest.raises(InvalidError, match="--labels y: the candidates give no classes"):
        rank(candidates=listed, data=folder / "rotated-val.npz", features="X", labels="y")


def test_labels_judge_the_candidates_with_classes_where_one_has_none(
    folder: Path, listed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mixed = [candidate("upright"), candidate("rotated"), candidate("ink-upright")]
    listed.write_text(yaml.safe_dump({"candidates": mixed}))
    rank(candidates=listed, data=folder / "rotated-val.npz", labels="y", format="json")
    document = json.loads(capsys.readouterr().out)
    assert document["score"]["best"] == "rotated"
    assert document["candidates"][-1]["true_accuracy"] is None
