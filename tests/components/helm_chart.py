"""What a real Helm makes of the chart, and what the schemas of Kubernetes say to it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.components.programs import named

CHART = Path(__file__).parents[2] / "helm" / "pilotfish"
CI = {path.name.removesuffix("-values.yaml"): path for path in sorted((CHART / "ci").glob("*-values.yaml"))}
VERSIONS = tuple(f"1.{minor}.0" for minor in range(29, 35))
# What the cluster has beside Kubernetes itself, where a file of values is for such a cluster.
APIS = {"monitoring": ["monitoring.coreos.com/v1"]}
_CUSTOM = yaml.safe_load(Path(__file__).with_name("custom_resources.yaml").read_text())


def helm(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs Helm."""
    program = named("PILOTFISH_HELM", "the program helm")
    return subprocess.run([program, *map(str, words)], capture_output=True, text=True, check=False)  # noqa: S603 - what is tested with


def template(
    values: Path, *words: str, version: str = "1.31.0", apis: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Renders the chart as release `fish` in namespace `ml`."""
    extra = [word for api in apis for word in ("--api-versions", api)]
    where = ("--namespace", "ml", "--kube-version", version)
    return helm("template", "fish", CHART, *where, "--values", values, *extra, *words)


def rendered(
    values: Path, *words: str, version: str = "1.31.0", apis: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """The objects that the chart makes, sorted by kind and name."""
    result = template(values, *words, version=version, apis=apis)
    assert result.returncode == 0, result.stderr
    objects = [one for one in yaml.safe_load_all(result.stdout) if one]
    return sorted(objects, key=lambda one: (one["kind"], one["metadata"]["name"]))


def the(objects: Sequence[dict[str, Any]], kind: str, name: str = "fish-pilotfish") -> dict[str, Any]:
    """The one object of a kind and name."""
    (found,) = (one for one in objects if (one["kind"], one["metadata"]["name"]) == (kind, name))
    return found


def faults(objects: Sequence[Mapping[str, Any]], versions: Sequence[str]) -> list[str]:
    """What the schemas of these versions of Kubernetes have against the objects."""
    told: list[str] = _asked(
        "object_schemas.py", {"objects": objects, "versions": versions, "custom": _CUSTOM}
    )
    return told


def matching(expressions: Sequence[str], objects: Sequence[Mapping[str, Any]]) -> list[bool]:
    """Whether the match conditions of a webhook are true of the objects."""
    told: list[bool] = _asked("cel_conditions.py", {"expressions": expressions, "objects": objects})
    return told


def _asked(script: str, what: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    python = named("PILOTFISH_KUBERNETES_PYTHON", "bin/python beside kubernetes-validate and cel-expr-python")
    result = subprocess.run(  # noqa: S603 - what is tested with
        [python, Path(__file__).with_name(script)],
        input=json.dumps(what),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(result.stdout)
