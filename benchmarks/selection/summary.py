"""From verdicts on targets to the figures of workloads and the bars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

import numpy as np

from benchmarks.selection.judge import SURE, Verdict
from benchmarks.selection.score import BAD, Score
from benchmarks.selection.workloads import WORKLOADS
from sidecar.core.ranking import State
from sidecar.estimation.measures.table import MEASURES

GROUPS: Final = ("activity", "image", "office", "text", "nlp", "entity")
POOLS: Final = "pools"
_SPEARMAN_GROUPS: Final = ("activity", "image", "office", "text", "entity")
_CONTROLS: Final = frozenset(workload.name for workload in WORKLOADS if workload.control)
# A pool at chance, by the end of its name.
_CHANCE_POOL: Final = "/wnli"
_FIGURES: Final = tuple(field.name for field in fields(Score))


@dataclass(frozen=True, slots=True)
class Bar:
    """One thing that has to hold; `value` is None where a workload that it needs was not run."""

    name: str
    value: float | None
    wanted: str
    met: bool | None


def workload_figures(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The figures of one workload, as the JSON file holds them."""
    intervals = sum(verdict.intervals for verdict in verdicts)
    sure = [verdict for verdict in verdicts if verdict.state in SURE]
    unsure = [verdict for verdict in verdicts if verdict.state not in SURE]
    return {
        "targets": len(verdicts),
        "candidates": len({name for verdict in verdicts for name in verdict.names}),
        "measures": {
            measure.name: _means([verdict.measures[measure.name] for verdict in verdicts])
            if any(measure.name not in verdict.unknown for verdict in verdicts)
            else dict.fromkeys(_FIGURES)
            for measure in MEASURES
        },
        "default": _means([verdict.default for verdict in verdicts])
        | {
            "coverage": sum(verdict.covered for verdict in verdicts) / intervals if intervals else None,
            "width": sum(verdict.width for verdict in verdicts) / intervals if intervals else None,
            "abstained": len(unsure) / len(verdicts),
            "regret_ok": _mean(verdict.default.regret for verdict in sure),
            "regret_abstained": _mean(verdict.default.regret for verdict in unsure),
            "states": dict(Counter(verdict.state.name for verdict in verdicts)),
        },
    }


def undefined(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """For how many targets each measure orders nothing; by name, without the zeros."""
    counts = Counter(
        name for verdict in verdicts for name, score in verdict.measures.items() if score.spearman is None
    )
    return dict(counts)


def target_figures(verdict: Verdict) -> dict[str, Any]:
    """One target, as the JSON file holds it."""
    return {
        "workload": verdict.workload,
        "target": verdict.target,
        "state": verdict.state.name,
        "pick": verdict.pick,
        "best": verdict.best,
        "unavailable": verdict.unavailable,
        **asdict(verdict.default),
    }


def bars(figures: Mapping[str, Any], verdicts: Sequence[Verdict]) -> list[Bar]:
    """What the ranking has to reach, over all workloads.

    Args:
        figures: of `workload_figures`, by workload.
        verdicts: on all targets.
    """
    made = [*_regret_bars(figures)]
    made.append(
        _bar(
            "Spearman, mean",
            ">= 0.72",
            lambda value: value >= 0.72,
            _over(figures, _SPEARMAN_GROUPS, "spearman"),
        )
    )
    everywhere = (*GROUPS, POOLS)
    for name, workloads in (("groups", GROUPS), ("groups and pools", everywhere)):
        made.append(
            _bar(
                f"error of the estimated accuracy, {name}",
                "<= 0.055",
                lambda value: value <= 0.055,
                _over(figures, workloads, "mae"),
            )
        )
    chosen = [verdict for verdict in verdicts if verdict.workload in everywhere]
    intervals = sum(verdict.intervals for verdict in chosen)
    covered = sum(verdict.covered for verdict in chosen) / intervals if intervals else None
    whole = set(everywhere) <= set(figures)
    made.append(
        _bar(
            "intervals that hold the truth, all pairs",
            "0.85 .. 0.95",
            lambda value: 0.85 <= value <= 0.95,
            covered if whole else None,
        )
    )
    return [*made, *_abstention_bars(verdicts if whole and set(figures) >= _CONTROLS else ())]


def _regret_bars(figures: Mapping[str, Any]) -> Iterable[Bar]:
    everywhere = (*GROUPS, POOLS)
    for name, workloads in (("groups", GROUPS), ("pools", (POOLS,)), ("groups and pools", everywhere)):
        default = _over(figures, workloads, "regret")
        if default is None:
            yield Bar(f"regret, {name}", None, "below every measure's", None)
            continue
        # A measure that has no value in a workload is compared in the others.
        by_measure = {}
        for measure in MEASURES:
            within = [
                workload
                for workload in workloads
                if figures[workload]["measures"][measure.name]["regret"] is not None
            ]
            if within:
                other = _mean(figures[workload]["measures"][measure.name]["regret"] for workload in within)
                by_measure[measure.name] = (_over(figures, within, "regret") or 0.0, other or 0.0)
        nearest = min(by_measure, key=lambda measure: by_measure[measure][1] - by_measure[measure][0])
        own, other = by_measure[nearest]
        yield Bar(
            f"regret, {name}",
            default,
            f"below every measure's; nearest: {nearest} {other:.4f}"
            + (f" ({own:.4f} there)" if own != default else ""),
            all(mine < theirs for mine, theirs in by_measure.values()),
        )
        if "adaptivity" in by_measure and name == "groups":
            limit = by_measure["adaptivity"][1] / 2
            yield Bar(f"regret, {name}", default, f"<= {limit:.4f}, half of adaptivity's", default <= limit)
    if set(everywhere) <= set(figures):
        close = sum(
            figures[workload]["default"]["regret"]
            <= min(
                one["regret"] for one in figures[workload]["measures"].values() if one["regret"] is not None
            )
            + 0.01
            for workload in everywhere
        )
        yield Bar(
            "workloads within .01 of the best measure's regret",
            close,
            f">= 5 of {len(everywhere)}",
            close >= 5,
        )


def _abstention_bars(verdicts: Sequence[Verdict]) -> Iterable[Bar]:
    bad = [verdict for verdict in verdicts if (verdict.default.spearman or 0.0) < BAD]
    good = [verdict for verdict in verdicts if (verdict.default.spearman or 0.0) >= BAD]
    sure = _mean(verdict.default.regret for verdict in verdicts if verdict.state in SURE)
    unsure = _mean(verdict.default.regret for verdict in verdicts if verdict.state not in SURE)
    hopeless = [
        verdict
        for verdict in verdicts
        if verdict.workload in _CONTROLS or verdict.target.endswith(_CHANCE_POOL)
    ]
    yield _bar(
        f"abstains where the ranking is bad (Spearman < {BAD})",
        ">= 0.85",
        lambda value: value >= 0.85,
        _mean(float(verdict.state not in SURE) for verdict in bad),
    )
    yield _bar(
        "abstains elsewhere",
        "<= 0.20",
        lambda value: value <= 0.2,
        _mean(float(verdict.state not in SURE) for verdict in good),
    )
    yield _bar(
        "regret when sure, share of the regret when not",
        "<= 0.667",
        lambda value: value <= 2 / 3,
        sure / unsure if sure is not None and unsure else None,
    )
    yield _bar(
        "OK where transfer is at chance",
        "0",
        lambda value: value == 0,
        _mean(float(verdict.state is State.OK) for verdict in hopeless),
    )
    mixed = [verdict.segments for verdict in verdicts if verdict.segments]
    unsegmented = _mean(one["unsegmented"] for one in mixed)
    yield _bar(
        "regret on mixed traffic with segments, share of that without",
        "<= 0.5",
        lambda value: value <= 0.5,
        (_mean(one["segmented"] for one in mixed if "segmented" in one) or 0.0) / unsegmented
        if unsegmented and all("segmented" in one for one in mixed)
        else None,
    )


def _bar(name: str, wanted: str, holds: Callable[[float], bool], value: float | None) -> Bar:
    return Bar(name, value, wanted, None if value is None else holds(value))


def _means(scores: Sequence[Score]) -> dict[str, float | None]:
    return {figure: _mean(getattr(score, figure) for score in scores) for figure in _FIGURES}


def _over(figures: Mapping[str, Any], workloads: Sequence[str], key: str) -> float | None:
    """The default ranking's figure averaged over workloads; None where one is missing."""
    if not set(workloads) <= set(figures):
        return None
    return _mean(figures[workload]["default"][key] for workload in workloads)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
