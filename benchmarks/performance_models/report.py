"""Bars and printed tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.performance_models.judge import FIGURES, Score

# The best of scratch (boosting), linear shift and a process on the log ratio, at each count.
_TX2_BARS = {
    "inference_time": {5: 9.9, 10: 8.5, 20: 6.0, 80: 3.5},
    "power_consumption": {5: 11.1, 10: 7.2, 20: 6.2, 80: 3.6},
}
Results = dict[str, dict[str, dict[str, dict[int, dict[str, list[Score]]]]]]


@dataclass(frozen=True, slots=True)
class Bar:
    """What was to be reached, and whether it was."""

    name: str
    figure: str
    met: bool


def print_tables(tables: Mapping[str, Any], notes: Mapping[str, str], console: Console) -> None:
    """Prints every figure of every strategy."""
    for name, content in tables.items():
        for metric, result in content["metric"].items():
            console.print(
                f"\n{name}, {metric}: {result['pairs']} transfers. {notes.get(name, '')}", highlight=False
            )
            table = Table(box=None, pad_edge=False)
            table.add_column("strategy")
            for count in result["n"]:
                table.add_column(f"n={count}: {' / '.join(FIGURES)}", justify="right")
            strategies = dict.fromkeys(name for figures in result["n"].values() for name in figures)
            for strategy in strategies:
                cells = [_cell(figures.get(strategy)) for figures in result["n"].values()]
                table.add_row(strategy, *cells)
            console.print(table)


def bars(results: Results) -> list[Bar]:
    """Compares with the figures that were to be beaten; tables that are absent have no bar."""
    found = [*_tx2(results), *_help(results)]
    for name in ("deeparch", "unicorn"):
        found += _scratch(name, results.get(name, {}))
    return found + _coverage(results)


def _tx2(results: Results) -> list[Bar]:
    found, better = [], 0
    for metric, limits in _TX2_BARS.items():
        pairs = results.get("tx2_xception", {}).get(metric, {})
        for count, limit in limits.items():
            values = [
                float(np.median([one.mape for one in counts[count]["chooser"]]))
                for counts in pairs.values()
                if count in counts
            ]
            if values:
                reached = float(np.median(values))
                better += reached <= 0.9 * limit
                found.append(
                    Bar(
                        f"tx2_xception {metric}, n={count}: MAPE <= {limit}",
                        f"{reached:.2f}",
                        reached <= limit,
                    )
                )
    if found:
        found.append(Bar("tx2_xception: 10 % better at two of eight or more", str(better), better >= 2))
    return found


def _help(results: Results) -> list[Bar]:
    pairs = results.get("help_nasbench201", {}).get("latency", {})
    values = [
        score.spearman
        for counts in pairs.values()
        for score in counts.get(10, {}).get("chooser", [])
        if score.spearman is not None
    ]
    if not values:
        return []
    mean = float(np.mean(values))
    return [Bar("help_nasbench201, n=10: mean Spearman >= .955", f"{mean:.3f}", mean >= 0.955)]


def _scratch(name: str, metrics: Mapping[str, Any]) -> list[Bar]:
    found = []
    for metric, pairs in metrics.items():
        few, late = [], []
        for counts in pairs.values():
            for count, strategies in counts.items():
                ratio = _median(strategies["chooser"]) / _median(strategies["scratch"])
                if count <= 20:
                    few.append(ratio < 1)
                if count == 80:
                    late.append(ratio)
        share = float(np.mean(few)) if few else 1.0
        worst = max(late, default=0.0)
        found += [
            Bar(
                f"{name} {metric}, n<=20: beats scratch in >= 80 % of transfers",
                f"{share:.0%}",
                share >= 0.8,
            ),
            Bar(f"{name} {metric}, n=80: at most 1.05 x scratch", f"{worst:.3f} x", worst <= 1.05),
        ]
    return found


def _coverage(results: Results) -> list[Bar]:
    found = []
    for name, metrics in results.items():
        for metric, pairs in metrics.items():
            by_count: dict[int, list[float]] = {}
            for counts in pairs.values():
                for count, strategies in counts.items():
                    by_count.setdefault(count, []).extend(one.coverage for one in strategies["chooser"])
            means = {count: float(np.mean(values)) for count, values in by_count.items()}
            mean = float(np.mean(list(means.values())))
            said = ", ".join(f"n={count} {value:.0%}" for count, value in means.items())
            found.append(
                Bar(
                    f"{name} {metric}: 90 % intervals cover 85-95 %",
                    f"{mean:.1%} ({said})",
                    0.85 <= mean <= 0.95,
                )
            )
    return found


def _median(scores: Sequence[Score]) -> float:
    return float(np.median([score.mape for score in scores]))


def _cell(figures: Mapping[str, float | None] | None) -> str:
    if figures is None:
        return ""
    mape, nmse, spearman, coverage, regret = (figures[name] for name in FIGURES)
    return " / ".join(
        "-" if value is None else f"{value:.{digits}f}"
        for value, digits in ((mape, 1), (nmse, 3), (spearman, 2), (coverage, 2), (regret, 2))
    )
