from pathlib import Path

import pytest

from sidecar.config.schema import Config
from sidecar.core.errors import InvalidError, NotFoundError
from sidecar.serving.control.desired import DesiredState


@pytest.fixture
def state(tmp_path: Path) -> DesiredState:
    for name in ("a.onnx", "a.st"):
        (tmp_path / name).touch()
    return DesiredState(config("a", "b"), tmp_path)


def config(*names: str, grpc: str = "0.0.0.0:1") -> Config:
    candidates = [{"name": name, "profile": "p.st", "onnx": {"path": "m.onnx"}} for name in names]
    endpoint = {"name": "digits", "incumbent": names[0], "candidates": candidates}
    return Config.model_validate({"endpoints": [endpoint], "serve": {"grpc": grpc}})


def names(state: DesiredState) -> list[str]:
    return [candidate.name for candidate in state.endpoint("digits").candidates]


def register(state: DesiredState, name: str, onnx: str = "a.onnx") -> None:
    state.register("digits", name=name, profile=Path("a.st"), onnx=Path(onnx))


def test_candidates_come_and_go(state: DesiredState, tmp_path: Path) -> None:
    register(state, "c")
    assert names(state) == ["a", "b", "c"]
    assert state.endpoint("digits").candidates[2].files == (tmp_path / "a.st", tmp_path / "a.onnx")
    assert state.configured("digits") == {"a", "b"}
    state.remove("digits", "b")
    assert names(state) == ["a", "c"]
    state.remove("digits", "c")
    assert names(state) == ["a"]
    register(state, "b")
    assert state.configured("digits") == {"a"}


def test_registered_candidates_outlive_a_reload_and_a_new_incumbent_comes_back(state: DesiredState) -> None:
    register(state, "c")
    state.remove("digits", "b")
    state.reload(config("a", "b", "d"))
    assert names(state) == ["a", "d", "c"]
    state.reload(config("b", "a"))
    assert names(state) == ["b", "a", "c"]


def test_what_is_refused(state: DesiredState) -> None:
    for call, kind, message in (
        (lambda: register(state, "a"), InvalidError, "exists already"),
        (lambda: register(state, "c", "../b.onnx"), InvalidError, "outside"),
        (lambda: register(state, "c", "/etc/passwd"), InvalidError, "outside"),
        (lambda: register(state, "c", "b.onnx"), InvalidError, "no such file"),
        (lambda: register(state, "c d"), InvalidError, "pattern"),
        (lambda: state.remove("digits", "a"), InvalidError, "incumbent"),
        (lambda: state.remove("digits", "x"), NotFoundError, "no candidate"),
        (lambda: state.endpoint("x"), NotFoundError, "there are: digits"),
        (
            lambda: state.reload(config("a", grpc="0.0.0.0:2")),
            InvalidError,
            "serve.grpc: a change needs a restart",
        ),
    ):
        with pytest.raises(kind, match=message):
            call()
    assert names(state) == ["a", "b"]
