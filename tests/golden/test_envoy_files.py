"""What `pilotfish envoy` prints. Envoys run with what it printed once: change it knowingly.

To take a wanted change: GOLDEN=write make test
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sidecar.core.errors import InvalidError
from sidecar.tools.cli import app

GOLDEN = Path(__file__).with_name("envoy")
CONFIG = """
endpoints:
  - name: digits
    capture:
      - mirror: {listen: "0.0.0.0:9001", envoy: "127.0.0.1:9901"}
      - observer: {listen: "0.0.0.0:9002"}
    incumbent: a
    candidates: [{name: a, profile: a.safetensors, onnx: {path: a.onnx}}]
  - name: letters
    capture: [{observer: {listen: "0.0.0.0:9003"}}]
    incumbent: a
    candidates: [{name: a, profile: a.safetensors, onnx: {path: a.onnx}}]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "pilotfish.yaml"
    path.write_text(CONFIG)
    return path


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mirror", "--upstream triton:8001 --listen 0.0.0.0:8000 --capture mirror"),
        (
            "mirror-ready",
            "--upstream triton:8001 --listen 0.0.0.0:9600 --ready 0.0.0.0:9601 --capture mirror",
        ),
        ("observer", "--upstream 10.0.0.1:8001 --listen 0.0.0.0:8000 --endpoint digits"),
        (
            "istio-mirror",
            "--upstream triton.ml.svc:8001 --capture mirror --istio --pilotfish pilotfish.ml.svc:9001",
        ),
        ("istio-observer", "--upstream triton.ml.svc.cluster.local:8001 --endpoint letters --istio"),
        ("mirror-some", "--upstream triton:8001 --listen 0.0.0.0:8000 --capture mirror --fraction 0.29"),
        ("observer-some", "--upstream a:8001 --listen 0.0.0.0:8000 --endpoint digits --fraction 0.000001"),
        (
            "istio-mirror-some",
            "--upstream a.ml.svc:8001 --capture mirror --istio --pilotfish p.ml.svc:9001 --fraction 0.29",
        ),
        ("istio-observer-some", "--upstream a.ml.svc:8001 --endpoint letters --istio --fraction 0.125"),
    ],
)
def test_what_is_printed_is_what_is_known(
    config: Path, capsys: pytest.CaptureFixture[str], name: str, words: str
) -> None:
    assert app(["envoy", "--config", str(config), *words.split()], exit_on_error=False) == 0
    printed = capsys.readouterr().out
    golden = GOLDEN / f"{name}.yaml"
    if os.environ.get("GOLDEN") == "write":
        golden.write_text(printed)
    assert printed == golden.read_text()


@pytest.mark.parametrize("words", ["", "--capture mirror"])
def test_all_calls_are_copied_by_default(
    config: Path, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    command = [
        "envoy",
        "--config",
        str(config),
        *f"--upstream a:1 --listen a:2 --endpoint digits {words}".split(),
    ]
    assert app(command) == 0
    by_default = capsys.readouterr().out
    assert app([*command, "--fraction", "1"]) == 0
    assert capsys.readouterr().out == by_default


@pytest.mark.parametrize(
    ("fraction", "said"),
    [
        ("0", ">= 1e-06"),
        ("1e-7", ">= 1e-06"),
        ("-0.1", ">= 1e-06"),
        ("1.1", "<= 1"),
        ("nan", "<= 1"),
        ("10%", "float"),
    ],
)
def test_a_fraction_that_is_none_is_told(
    config: Path, capsys: pytest.CaptureFixture[str], fraction: str, said: str
) -> None:
    with pytest.raises(SystemExit):
        app(["envoy", "--config", str(config), "--upstream", "a:1", "--fraction", fraction])
    told = capsys.readouterr().err
    assert "--fraction" in told
    assert said in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--upstream triton:8001", "digits, letters listen on addresses of their own: say --endpoint"),
        ("--upstream triton:8001 --endpoint digits", "add --listen HOST:PORT"),
        ("--upstream triton:8001 --capture mirror --istio", "name Pilotfish's with --pilotfish HOST:9001"),
        (
            "--upstream triton --endpoint digits --listen 0.0.0.0:1",
            "--upstream: 'triton' is not an address; write HOST:PORT",
        ),
        ("--upstream a:1 --endpoint digits --listen a:1 --ready a:2", "--ready asks Envoy's admin page: add"),
        ("--upstream a:1 --endpoint letters --capture mirror", "endpoint 'letters' has no `mirror` capture"),
        ("--upstream a:1 --endpoint letters --istio --workload triton", "write LABEL=VALUE, like app=triton"),
    ],
)
def test_what_is_missing_is_told(config: Path, words: str, said: str) -> None:
    with pytest.raises(InvalidError, match=said):
        app(["envoy", "--config", str(config), *words.split()], exit_on_error=False)
