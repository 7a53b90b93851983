"""What `check` says of a budget that nobody can keep."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from sidecar.tools.cli.check import _notes


@pytest.mark.parametrize(
    ("capture", "ratio", "told"),
    [
        ([{"mirror": {"listen": "0.0.0.0:9001"}}], 1.25, True),
        ([], 1.25, True),
        ([{"mirror": {"listen": "0.0.0.0:9001"}}], None, False),
        ([{"observer": {"listen": "0.0.0.0:9001"}}], 1.25, False),
        ([{"mirror": {"listen": "0.0.0.0:9001"}}, {"cloudevents": {}}], 1.25, False),
    ],
)
def test_a_latency_that_no_capture_sees_is_told(
    tmp_path: Path, capture: list[object], ratio: float | None, *, told: bool
) -> None:
    candidate = {"name": "a", "profile": "a.safetensors", "onnx": {"path": "a.onnx"}}
    endpoint = {"name": "e", "capture": capture, "incumbent": "a", "candidates": [candidate]}
    path = tmp_path / "pilotfish.yaml"
    path.write_text(yaml.safe_dump({"endpoints": [endpoint], "interference": {"latency_ratio": ratio}}))
    notes = [note for note in _notes(path, ()) if "interference.latency_ratio cannot be kept" in note]
    assert bool(notes) is told
