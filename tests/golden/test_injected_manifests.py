"""What `pilotfish inject` makes of a manifest. Clusters run what it printed once: change it knowingly.

To take a wanted change: GOLDEN=write make test
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sidecar.tools.cli import app

GOLDEN = Path(__file__).with_name("injected")
CONFIG = """
endpoints:
  - name: digits
    capture:
      - observer: {listen: "127.0.0.1:9002", envoy: "127.0.0.1:9901"}
      - proxy: {listen: "0.0.0.0:9001"}
    incumbent: a
    candidates: [{name: a, profile: /models/a.safetensors, onnx: {path: /models/a.onnx}}]
"""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("native", "--config {config}"),
        ("envoy", "--config {config} --config-map digits --envoy observer"),
        ("classic", "--config-map digits --classic"),
    ],
)
def test_what_is_printed_is_what_is_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, words: str
) -> None:
    config = tmp_path / "pilotfish.yaml"
    config.write_text(CONFIG)
    manifest = GOLDEN.with_name("manifests") / "deployment.yaml"
    options = ["-f", str(manifest), "--image", "pilotfish:1", *words.format(config=config).split()]
    assert app(["inject", *options], exit_on_error=False) == 0
    printed = capsys.readouterr().out
    golden = GOLDEN / f"{name}.yaml"
    if os.environ.get("GOLDEN") == "write":
        golden.write_text(printed)
    assert printed == golden.read_text()
