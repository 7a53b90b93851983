"""Checks snippets that are not run: YAML by what reads it, commands by the parser of the command line."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from sidecar.config import Config, Endpoint, load_config
from sidecar.estimation.performance.options import ONNX
from sidecar.tools.cli import app
from sidecar.tools.injection.manifests import read_manifests
from sidecar.tools.measuring.space_file import load_space
from tests.docs.snippets import ROOT, Snippet

_CANDIDATE: Final = {"name": "digits-2024", "profile": "a.safetensors", "onnx": {"path": "a.onnx"}}
_ENDPOINT: Final = {"name": "digits", "candidates": [_CANDIDATE]}


def check_yaml(snippet: Snippet, folder: Path) -> None:
    """Reads YAML as the program does that it is for; part of a configuration is put into a whole one."""
    path = folder / "snippet.yaml"
    if snippet.said("manifest") is not None:
        assert list(read_manifests(snippet.text, snippet.where)), snippet.where
    elif snippet.said("space") is not None:
        path.write_text(snippet.text)
        load_space(path, ONNX)
    elif snippet.said("values") is not None:
        values = yaml.safe_load(snippet.text)
        _known_values(
            values, yaml.safe_load((ROOT / "helm/pilotfish/values.yaml").read_text()), snippet.where
        )
        _check_config(values["config"], path)
    else:
        _check_config(yaml.safe_load(snippet.text), path)


def _check_config(data: dict[str, Any], path: Path) -> None:
    unknown = set(data) - set(Config.model_fields) - set(Endpoint.model_fields)
    assert not unknown, f"{sorted(unknown)} are keys of neither the file nor an endpoint"
    endpoint = {key: value for key, value in data.items() if key in Endpoint.model_fields}
    whole = {key: value for key, value in data.items() if key in Config.model_fields}
    if endpoint or "endpoints" not in whole:
        endpoint = {**_ENDPOINT, **endpoint}
        endpoint.setdefault("incumbent", endpoint["candidates"][0]["name"])
        whole["endpoints"] = [endpoint]
    path.write_text(yaml.safe_dump(whole))
    load_config(path)


def _known_values(values: Mapping[str, Any], known: Mapping[str, Any], where: str) -> None:
    for key, value in values.items():
        assert key in known, f"{where}: the chart has no value {key!r}; it has {sorted(known)}"
        # What is empty in values.yaml may be filled with anything.
        if isinstance(value, dict) and known[key]:
            _known_values(value, known[key], where)


def check_shell(snippet: Snippet) -> None:
    """Parses a script, and the options of every command of ours in it."""
    done = subprocess.run(["bash", "-n"], input=snippet.text, capture_output=True, text=True, check=False)  # noqa: S607
    assert done.returncode == 0, f"{snippet.where}: {done.stderr}"
    for words in commands(snippet.text):
        if words[0] == "pilotfish":
            app.parse_args(words[1:], exit_on_error=False, print_error=False)
        elif words[0] == "make":
            targets = (ROOT / "Makefile").read_text()
            assert all(f"\n{one}:" in targets or one.startswith(".venv/") for one in words[1:]), snippet.where


def commands(text: str) -> Iterator[list[str]]:
    """The commands of a script, as words; a loop's lines count as they stand."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if ">" in words:
            words = words[: words.index(">")]
        if words:
            yield words[:-1] if words[-1] == "&" else words


def check_json(snippet: Snippet) -> None:
    json.loads(snippet.text)
