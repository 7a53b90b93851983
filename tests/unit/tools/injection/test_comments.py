from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sidecar.tools.cli.inject import inject, uninject
from sidecar.tools.injection.comments import write_with_comments
from sidecar.tools.injection.manifests import read_manifests

MANIFEST = """---
# The model server of the digits.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: digits  # as the Service selects it
spec:
  template:
    metadata:
      labels: {app: digits}  # flow style stays
    spec:
      containers:
      # one container
      - name: triton
        image: 'triton:24.10'
        env:
        - name: MODE
          value: "0644"
      volumes:
      - name: models
        configMap:
          name: models
          defaultMode: 0o644  # octal
---
# Another object.
apiVersion: v1
kind: Service
metadata:
  name: digits
"""


def injected(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    inject(file=str(path), config_map="settings")
    return capsys.readouterr().out


def test_uninject_gives_back_the_text_with_its_comments(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "digits.yaml"
    path.write_text(MANIFEST)
    found = injected(path, capsys)
    assert "name: pilotfish" in found
    path.write_text(found)
    uninject(file=str(path))
    out, err = capsys.readouterr()
    assert out == MANIFEST
    assert not err


def test_inject_keeps_every_comment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "digits.yaml"
    path.write_text(MANIFEST)
    found = injected(path, capsys)
    for line in MANIFEST.splitlines():
        if "#" in line:
            assert line in found


def test_without_ruamel_the_note_names_the_extra(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "digits.yaml"
    path.write_text(MANIFEST)
    monkeypatch.delitem(sys.modules, "sidecar.tools.injection.comments", raising=False)
    monkeypatch.setitem(sys.modules, "ruamel.yaml", None)
    uninject(file=str(path))
    out, err = capsys.readouterr()
    assert "#" not in out
    assert "comments are lost" in err
    assert "pip install 'pilotfish[inject]'" in err


@pytest.mark.parametrize(
    "text",
    [
        "a: &one {b: 1}\nc: *one\n",
        "base: &base {b: 1}\nc:\n  <<: *base\n",
    ],
)
def test_what_an_alias_repeats_is_not_changed_in_two_places(text: str) -> None:
    before = read_manifests(text, "x")
    (document,) = read_manifests(text, "x")
    document["c"] = {"b": 2}
    written = write_with_comments(text, before, [document])
    assert written is None or read_manifests(written, "x") == [document]
