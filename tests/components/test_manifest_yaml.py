"""Manifests are read and written as Kubernetes does: Helm, which has the same parser, is the oracle."""

from __future__ import annotations

import base64
import json
import random
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from sidecar.tools.injection.inject import inject_documents
from sidecar.tools.injection.manifests import read_manifests, write_manifests
from tests.components.programs import named
from tests.support.manifests import INJECTION, MANIFESTS, WITH_ENVOY, read

TEMPLATE = """
{{ range $path, $_ := .Files.Glob "files/*" }}
{{ base $path }}: {{ $.Files.Get $path | fromYaml | toJson | b64enc }}
{{ end }}
"""
SCALARS = """
    0 00 0o7 0o644 0644 -0o7 08 09 0x1F 0x 0b11 0b2 1 +1 -1 1_000 1__0 1_0.5 .5 +.5 1. 1.5e3 1e3 12e03 1E-2 1e
    12345e7 12:30 190:20:30 2024-01-01 2024-01-01T10:00:00Z 1.2.3 250m 64Mi 10% y Y n N yes Yes YES no on On
    off true True TRUE false ~ null Null nULL yEs tRue = a =a -a --a "1e3" 'y' 0777_ 1,000 ::1 127.0.0.1:9002
    e3 .e3 +a
"""


@pytest.fixture
def go(tmp_path: Path) -> Any:  # noqa: ANN401 - a function
    program = named("PILOTFISH_HELM", "the program helm")

    def parse(texts: Mapping[str, str]) -> dict[str, Any]:
        """What Go makes of YAML documents."""
        (tmp_path / "files").mkdir()
        (tmp_path / "templates").mkdir()
        (tmp_path / "Chart.yaml").write_text("{apiVersion: v2, name: yaml, version: 0.1.0}")
        (tmp_path / "templates" / "all.yaml").write_text(TEMPLATE)
        for name, text in texts.items():
            (tmp_path / "files" / name).write_text(text)
        rendered = subprocess.run(  # noqa: S603 - the program that is tested with
            [program, "template", tmp_path], capture_output=True, text=True, check=True
        )
        found = yaml.safe_load(rendered.stdout)
        return {name: json.loads(base64.b64decode(value)) for name, value in found.items()}

    return parse


def plain(value: object) -> str:
    """As JSON; Go has one kind of number."""
    return json.dumps(json.loads(json.dumps(value), parse_int=float), sort_keys=True)


def test_plain_scalars_are_read_alike(go: Any) -> None:  # noqa: ANN401 - a function
    texts = SCALARS.split()
    theirs = go({f"f{number}": f"a: {text}" for number, text in enumerate(texts)})
    assert [
        text
        for number, text in enumerate(texts)
        if plain(read_manifests(f"a: {text}", text)[0]) != plain(theirs[f"f{number}"])
    ] == []


def test_injected_manifests_are_read_as_they_are_meant(go: Any) -> None:  # noqa: ANN401 - a function
    meant = {
        f"{name}.{way}.{number}": document
        for name in MANIFESTS
        for way, injection in (("own", INJECTION), ("envoy", WITH_ENVOY))
        for number, document in enumerate(
            inject_documents(read(name), injection, {"pilotfish.yaml": "a: |\n  b\n\tc: 'd'\n"})
        )
    }
    theirs = go({name: write_manifests([document]) for name, document in meant.items()})
    assert len(theirs) > 2 * len(MANIFESTS)
    assert {name: one for name, one in theirs.items() if plain(meant[name]) != plain(one)} == {}


def test_any_text_stays_a_text(go: Any) -> None:  # noqa: ANN401 - a function
    draw = random.Random(0)  # noqa: S311 - no secret
    letters = "yYnNoOeExXtTuUlL01289._-+:~=<>*&!%@`#|'\"{}[], \n\t\\ä/\a\x1b\x85\xa0\u2028\ufeff\U0001f41f"
    texts = ["".join(draw.choices(letters, k=draw.randint(0, 6))) for _ in range(4000)]
    theirs = go({"f": write_manifests([{"texts": texts, "keys": dict.fromkeys(texts, 1)}])})["f"]
    assert [pair for pair in zip(texts, theirs["texts"], strict=True) if pair[0] != pair[1]] == []
    assert theirs["keys"].keys() == set(texts)
