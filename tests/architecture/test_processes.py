"""Each process loads its own rooms and what it uses of the shared ones: nothing of the other or of tools."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache

import pytest

# What is imported before the module: the console script does not know yet which command is asked for.
BEFORE = {
    "sidecar.serving.serve": frozenset({"sidecar", "sidecar.tools", "sidecar.tools.cli"}),
    "sidecar.scoring.__main__": frozenset({"sidecar"}),
}
SHARED = frozenset({"config", "core", "costs", "inference", "telemetry", "wire"})
ROOMS = {
    "sidecar.serving.serve": SHARED | {"serving"},
    "sidecar.scoring.__main__": SHARED | {"formats", "scoring"},
}
# Of the numeric rooms, what is used where. The serving process decides anew by a caller's preference, tells
# how far rankings lie apart and what a candidate would cost.
NUMERIC = {
    "sidecar.serving.serve": {"frontier", "performance", "ranking"},
    "sidecar.scoring.__main__": {"accuracy", "frontier", "measures", "performance", "ranking"},
}
RANKING = {
    "sidecar.serving.serve": {"decision", "drift"},
    "sidecar.scoring.__main__": {"by_support", "decision", "judging", "order", "recommendation"},
}


@cache
def loaded(module: str) -> frozenset[str]:
    """Modules of Pilotfish that a process has after it began as it does in life."""
    first = ", ".join([*sorted(BEFORE[module]), module])
    code = f"import {first}, json, sys; print(json.dumps([*sys.modules]))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own code
    return frozenset(name for name in json.loads(told.stdout) if name.partition(".")[0] == "sidecar")


def strangers(module: str, names: frozenset[str]) -> set[str]:
    """What a process must not have."""
    found = set()
    for name in names - BEFORE[module]:
        room, _, rest = name.removeprefix("sidecar.").partition(".")
        part, _, deeper = rest.partition(".")
        if room != "estimation":
            wrong = room not in ROOMS[module]
        else:
            wrong = bool(part) and part not in NUMERIC[module]
            wrong |= part == "ranking" and bool(deeper) and deeper not in RANKING[module]
        if wrong:
            found.add(name)
    return found


@pytest.mark.parametrize("module", ROOMS)
def test_a_process_loads_nothing_that_is_not_its_own(module: str) -> None:
    names = loaded(module)
    assert module in names
    assert not strangers(module, names)


@pytest.mark.parametrize("module", ROOMS)
def test_a_process_uses_what_it_may_load(module: str) -> None:
    parts = [name.split(".")[1:] for name in loaded(module) - BEFORE[module]]
    assert {one[0] for one in parts} == ROOMS[module] | {"estimation"}
    assert {one[1] for one in parts if one[0] == "estimation" and one[1:]} == NUMERIC[module]
    assert {one[2] for one in parts if one[:2] == ["estimation", "ranking"] and one[2:]} == RANKING[module]


@pytest.mark.parametrize(
    ("module", "stranger"),
    [
        ("sidecar.serving.serve", "sidecar.scoring.worker"),
        ("sidecar.serving.serve", "sidecar.tools.cli.check"),
        ("sidecar.serving.serve", "sidecar.estimation.accuracy.ranks"),
        ("sidecar.serving.serve", "sidecar.estimation.measures.table"),
        ("sidecar.serving.serve", "sidecar.estimation.ranking.order"),
        ("sidecar.scoring.__main__", "sidecar.serving.link"),
        ("sidecar.scoring.__main__", "sidecar.tools.cli"),
        ("sidecar.scoring.__main__", "sidecar.tools.profiles.build"),
        ("sidecar.scoring.__main__", "sidecar.estimation.ranking.drift"),
    ],
)
def test_a_stranger_is_noticed(module: str, stranger: str) -> None:
    assert strangers(module, loaded(module) | {stranger}) == {stranger}
