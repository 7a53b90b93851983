"""What the image installs is locked with hashes; neither lock nor list drifts from pyproject.toml."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from dataclasses import replace
from typing import Any

import pytest

from image.lock import BILL, BUILD, ROOT, RUN, Locked, faults, read_lock

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKED, BUILT, LISTED = read_lock(RUN.read_text()), read_lock(BUILD.read_text()), BILL.read_text()


def test_nothing_has_drifted() -> None:
    assert not list(faults(PROJECT, LOCKED, BUILT, LISTED))


def test_every_package_is_pinned_once_with_hashes() -> None:
    entries = [line for line in RUN.read_text().splitlines() if line[0] not in " #"]
    assert len({one.name for one in LOCKED}) == len(LOCKED) == len(entries)
    assert all(one.sha256 for one in [*LOCKED, *BUILT])


def wanting(requirement: str) -> dict[str, Any]:
    project = copy.deepcopy(PROJECT)
    project["project"]["dependencies"].append(requirement)
    return project


def without(name: str) -> list[Locked]:
    return [one for one in LOCKED if one.name != name]


@pytest.mark.parametrize(
    ("project", "locked", "message"),
    [
        (wanting("brand-new>=1"), LOCKED, "brand-new>=1 is not locked"),
        (wanting("numpy>=99"), LOCKED, "is locked, and numpy>=99 asked for"),
        (PROJECT, without("hpack"), "hpack.* is not locked"),
        (PROJECT, [*LOCKED, Locked("left-over", "1", ("0" * 64,), ())], "nothing needs it"),
        (PROJECT, [replace(LOCKED[0], sha256=()), *LOCKED[1:]], "has no hash"),
        (PROJECT, [replace(LOCKED[0], version="0"), *LOCKED[1:]], "sbom.cdx.json does not list"),
    ],
)
def test_drift_is_named(project: dict[str, Any], locked: list[Locked], message: str) -> None:
    found = "\n".join(faults(project, locked, BUILT, LISTED))
    assert re.search(message, found), found


def test_the_list_says_who_needs_whom() -> None:
    bill = json.loads(LISTED)
    needs = {one["ref"].partition("@")[0]: one["dependsOn"] for one in bill["dependencies"]}
    refs = {one["bom-ref"] for one in bill["components"]}
    assert {url.partition("@")[0] for url in needs["pkg:pypi/pilotfish"]} >= {
        "pkg:pypi/grpcio",
        "pkg:pypi/numpy",
    }
    assert any(url.startswith("pkg:pypi/numpy@") for url in needs["pkg:pypi/onnxruntime"])
    assert {url for on in needs.values() for url in on} <= refs
