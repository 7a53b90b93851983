"""The version, which three files name, and what the changelog says of it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import yaml


def project_version(root: Path) -> str:
    """The version in pyproject.toml, which the others must follow."""
    version: str = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    return version


def faults(root: Path) -> Iterator[str]:
    """Where the files disagree, in words."""
    version = project_version(root)
    chart = yaml.safe_load((root / "helm/pilotfish/Chart.yaml").read_text())
    if chart["appVersion"] != version:
        yield (
            f"helm/pilotfish/Chart.yaml: appVersion is {chart['appVersion']}; "
            f"set it to {version}, the version in pyproject.toml"
        )
    heads = re.findall(r"(?m)^## (\S+)", (root / "CHANGELOG.md").read_text())
    if heads[:1] != ["Unreleased"]:
        yield "CHANGELOG.md: the first section is not `Unreleased`: add it, for what comes next"
    if version not in heads:
        yield f"CHANGELOG.md has no section {version}: move what is released from `Unreleased` under it"
