"""What of the chart follows from something else does, its schema is closed, and the checks can fail."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from helm import readme
from sidecar.config.schema import RESTART_SECTIONS

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "pilotfish"
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())


def check(module: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, "--check"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - our own


@pytest.mark.parametrize("module", ["helm.schema", "helm.readme"])
def test_no_drift(module: str) -> None:
    result = check(module, ROOT)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("module", "file", "old", "new"),
    [
        ("helm.schema", "values.schema.json", '"config.Sample": {', '"config.Sampel": {'),
        ("helm.readme", "values.yaml", "replicas: 1\n", "replicas: 3\n"),
    ],
)
def test_drift_is_caught(module: str, file: str, old: str, new: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "helm", tmp_path / "helm")
    changed = tmp_path / "helm" / "pilotfish" / file
    changed.write_text(changed.read_text().replace(old, new, 1))
    result = check(module, tmp_path)
    assert result.returncode == 1
    assert "run `make helm`" in result.stderr


def test_the_pod_is_replaced_for_every_section_that_a_reload_refuses() -> None:
    # The running process refuses a change of these sections, so the chart must start a new one.
    template = (CHART / "templates" / "deployment.yaml").read_text()
    assert 'pilotfish/restarts-on: {{ include "pilotfish.restartsOn" . }}' in template
    definition = (CHART / "templates" / "_restart.tpl").read_text()
    assert re.findall(r'"(\w+)"', definition.partition("pick")[2]) == list(RESTART_SECTIONS)
    assert "traces" in RESTART_SECTIONS


@pytest.mark.parametrize(
    "path",
    ["helm/pilotfish/values.yaml", "helm/pilotfish/README.md", "helm/RUNBOOK.md", "docs/guides/operate.md"],
)
def test_documents_name_the_sections_that_need_a_restart(path: str) -> None:
    *most, last = (f"`{name}`" for name in RESTART_SECTIONS)
    assert f"{', '.join(most)} or {last}" in (ROOT / path).read_text()


def test_the_table_has_every_value_with_its_comment_and_default() -> None:
    text = "# What\n# it is\na: 1\n\n# A group\nb:\n  # Inner | one\n  c: [x]\n# Whole\nd:\n  e: 1\n"
    assert readme.table(text).splitlines()[2:] == [
        "| `a` | `1` | What it is |",
        "| `b` |  | A group |",
        '| `b.c` | `["x"]` | Inner \\| one |',
        '| `d` | `{"e": 1}` | Whole |',
    ]
    with pytest.raises(ValueError, match=r"b\.d has no comment above it"):
        readme.table("# A group\nb:\n  # Inner\n  c: 1\n  d: 2\n")


def test_the_chart_is_of_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == version


def parts(schema: Any, place: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:  # noqa: ANN401 - JSON
    """Every schema within a schema, with its place."""
    if isinstance(schema, dict):
        yield place, schema
        for key, value in schema.items():
            # What stands there are names, not keywords.
            named = key in {"properties", "definitions", "patternProperties"}
            for name, one in value.items() if named else [(key, value)]:
                yield from parts(one, f"{place}/{name}")
    elif isinstance(schema, list):
        for index, one in enumerate(schema):
            yield from parts(one, f"{place}/{index}")


def test_no_object_takes_unknown_keys_but_kubernetes_own() -> None:
    open_ones = {
        place
        for place, schema in parts(SCHEMA)
        if schema.get("type") == "object" and "additionalProperties" not in schema
    }
    assert open_ones == {"/kubernetes", "/global"}


def test_schema_and_values_have_the_same_keys() -> None:
    def compare(schema: Mapping[str, Any], values: Mapping[str, Any], place: str) -> None:
        if "$ref" in schema:
            schema = SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]]
        if "properties" not in schema or not values:
            return
        assert set(schema["properties"]) - {"global", "claims"} == set(values), place
        for key, value in values.items():
            if isinstance(value, dict):
                compare(schema["properties"][key], value, f"{place}.{key}")

    compare(SCHEMA, VALUES, "")
