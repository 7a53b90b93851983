"""From verdicts on targets to figures, and the bars."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

import numpy as np

from benchmarks.selection.judge import Verdict
from benchmarks.selection.window import NAMES
from benchmarks.selection.workloads import KINDS

# Pools at chance, by name: a ranking of them must not say OK.
_CHANCE_POOLS: Final = ("wnli",)
_ADVERSARIAL: Final = "Adversarial"
# A pool whose mean accuracy is at most this is below chance.
_BELOW_CHANCE: Final = 0.5
IN_SUPPORT, DRIFTING = KINDS[:2]
_FLAT: Final = "dawid_skene_flat"


@dataclass(frozen=True, slots=True)
class Bar:
    """One thing that has to hold; `value` is None where no target tells."""

    name: str
    value: float | None
    wanted: str
    met: bool | None


def figures(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The figures of some targets; means are over sources, each a mean over its targets."""
    promised = [one for one in verdicts if one.ok]
    small = [one for one in verdicts if one.kept]
    return {
        "targets": len(verdicts),
        "sources": len({one.window.source for one in verdicts}),
        "coverage": _mean(verdicts, lambda one: one.covered),
        "width": _median(one.width for one in verdicts),
        "mae": _mean(verdicts, lambda one: one.default.mae),
        "regret": _mean(verdicts, lambda one: one.default.regret),
        "spearman": _mean(verdicts, lambda one: one.default.spearman),
        "ok": _share(one.ok for one in verdicts),
        "ok_kept": _share(one.kept for one in promised),
        "kept_ok": _share(one.ok for one in small),
        "regret_ok": _mean(promised, lambda one: one.default.regret),
        "regret_not_ok": _mean([one for one in verdicts if not one.ok], lambda one: one.default.regret),
        "among_three": _share(one.among_three for one in verdicts),
        "states": dict(Counter(one.state.name for one in verdicts)),
        "measures": {
            name: {
                figure: _mean(verdicts, partial(_figure, name=name, figure=figure))
                for figure in ("regret", "spearman", "mae")
            }
            for name in NAMES
        },
    }


def by_kind(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The figures of each kind of ranking, controls by themselves, and of all but the controls."""
    groups: dict[str, list[Verdict]] = {name: [] for name in KINDS}
    for one in verdicts:
        groups[one.window.kind].append(one)
    found = {name: figures(some) for name, some in groups.items() if some}
    return {**found, "all": figures([one for one in verdicts if not one.window.control])}


def by_workload(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The figures of each workload."""
    names = dict.fromkeys(one.window.workload for one in verdicts)
    return {name: figures([one for one in verdicts if one.window.workload == name]) for name in names}


def target_figures(one: Verdict) -> dict[str, Any]:
    """One target, as the JSON file holds it."""
    window = one.window
    return {
        "workload": window.workload,
        "kind": window.kind,
        "source": window.source,
        "target": window.target,
        "seed": window.seed,
        "state": one.state.name,
        "pick": one.pick,
        "best": one.best,
        "coverage": one.covered,
        "width": one.width,
        "lost": one.lost,
        "unavailable": window.unavailable,
        **asdict(one.default),
    }


def bars(verdicts: Sequence[Verdict]) -> list[Bar]:
    """What the ranking has to reach."""
    judged = [one for one in verdicts if not one.window.control]
    kinds = by_kind(judged)
    whole = kinds["all"]
    support = kinds.get(IN_SUPPORT)
    transfer = [one for one in judged if one.window.kind not in {IN_SUPPORT, DRIFTING}]
    promising = [
        kinds[name]
        for name in kinds
        if name != "all" and round(kinds[name]["ok"] * kinds[name]["targets"]) >= 20
    ]
    made = [
        _bar("coverage of 90 % intervals, mean over sources", whole["coverage"], ".86 .. .94", 0.86, 0.94),
        _bar("coverage, the least of a kind", _least(kinds, "coverage"), ">= .80", 0.8),
        _bar("error of the estimated accuracy, mean over sources", whole["mae"], "<= .06", high=0.06),
        _bar("OK that keeps the promise", whole["ok_kept"], ">= .90", 0.9),
        _bar(
            "the same, the least of a kind with 20 OK or more",
            min((one["ok_kept"] for one in promising), default=None),
            ">= .85",
            0.85,
        ),
        _bar("rankings that lose <= .05 and say OK", whole["kept_ok"], ">= .50", 0.5),
        _bar(
            "regret when OK, share of that when not",
            _ratio(whole["regret_ok"], whole["regret_not_ok"]),
            "<= .50",
            high=0.5,
        ),
        _bar("OK on the controls", float(sum(one.ok for one in verdicts if _hopeless(one))), "0", high=0.0),
    ]
    if support is not None:
        made += [
            _bar("in support: error of the estimated accuracy", support["mae"], "<= .02", high=0.02),
            _bar("in support: regret", support["regret"], "<= .01", high=0.01),
            _bar("in support: first among the best three", support["among_three"], ">= .95", 0.95),
        ]
    if drifting := [one for one in judged if one.window.kind == DRIFTING]:
        made.append(_beats("drifting: regret", drifting))
    if transfer:
        made.append(_beats("transfer and pools: regret", transfer))
        made.append(_near_best(transfer))
    mixed = [one.window.segments for one in judged if one.window.segments]
    if mixed and (unsegmented := float(np.mean([one["unsegmented"] for one in mixed]))):
        segmented = float(np.mean([one["segmented"] for one in mixed])) / unsegmented
        made.append(
            _bar("regret on mixed traffic with segments, share of that without", segmented, "<= .5", high=0.5)
        )
    return made


def _hopeless(one: Verdict) -> bool:
    """Whether nobody can know who is best: transfer or votes at chance, adversarial judges below it."""
    window = one.window
    below = _ADVERSARIAL in window.target and float(window.accuracy.mean()) < _BELOW_CHANCE
    return window.control or window.target in _CHANCE_POOLS or below


def _beats(name: str, verdicts: Sequence[Verdict]) -> Bar:
    """Regret below every single measure's, each compared on the targets where it has a value."""
    pairs = {}
    for measure in NAMES:
        there = [one for one in verdicts if one.window.measures[measure] is not None]
        if there:
            own, other = (
                _mean(there, lambda one: one.default.regret),
                _mean(there, partial(_figure, name=measure, figure="regret")),
            )
            pairs[measure] = (own or 0.0, other or 0.0)
    nearest = min(pairs, key=lambda measure: pairs[measure][1] - pairs[measure][0])
    own, other = pairs[nearest]
    wanted = f"below every measure's; nearest: {nearest} {other:.4f} ({own:.4f} there)"
    if _FLAT in pairs:
        wanted += f"; flat consensus {pairs[_FLAT][1]:.4f}"
    return Bar(
        name,
        _mean(verdicts, lambda one: one.default.regret),
        wanted,
        all(mine < theirs for mine, theirs in pairs.values()),
    )


def _near_best(verdicts: Sequence[Verdict]) -> Bar:
    """Sources on which regret is within .01 of the best single measure's."""
    near = []
    for source in sorted({one.window.source for one in verdicts}):
        found = figures([one for one in verdicts if one.window.source == source])
        best = min(of["regret"] for of in found["measures"].values() if of["regret"] is not None)
        near.append(found["regret"] <= best + 0.01)
    return _bar("sources within .01 of the best measure's regret", float(np.mean(near)), ">= .70", 0.7)


def _bar(name: str, value: float | None, wanted: str, low: float = -np.inf, high: float = np.inf) -> Bar:
    return Bar(name, value, wanted, None if value is None else low <= value <= high)


def _least(kinds: Mapping[str, Any], key: str) -> float | None:
    return min(
        (one[key] for name, one in kinds.items() if name != "all" and one[key] is not None), default=None
    )


def _figure(one: Verdict, name: str, figure: str) -> float | None:
    found = one.window.measures[name]
    return None if found is None else getattr(found, figure)


def _mean(verdicts: Sequence[Verdict], of: Callable[[Verdict], float | None]) -> float | None:
    """Mean over sources of the mean over their targets; None where nothing is known."""
    values: dict[str, list[float]] = defaultdict(list)
    for one in verdicts:
        if (value := of(one)) is not None:
            values[one.window.source].append(value)
    return float(np.mean([np.mean(some) for some in values.values()])) if values else None


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def _share(values: Iterable[bool]) -> float | None:
    known = list(values)
    return float(np.mean(known)) if known else None


def _ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None
