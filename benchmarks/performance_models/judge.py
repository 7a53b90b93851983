"""One transfer, judged on rows that no strategy saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from benchmarks.performance_models.guided_sampling import worth_measuring
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.performance.chooser import choose
from sidecar.estimation.performance.intervals import half_width
from sidecar.estimation.performance.source import Source
from sidecar.estimation.performance.strategies import CHOOSER, STRATEGIES
from sidecar.estimation.performance.table import PerformanceTable
from sidecar.estimation.performance.task import Fitted, Pool, Rows, Task

# Held-out rows for each seed; a mean over more differs in its third digit.
_HELD_OUT = 1000
FIGURES = ("mape", "nmse", "spearman", "coverage", "regret")


@dataclass(frozen=True, slots=True)
class Score:
    """How a strategy did with n measurements drawn by one seed.

    Attributes:
        mape: mean absolute error over the truth, per cent.
        nmse: mean squared error over the product of the means of prediction and truth.
        spearman: rank correlation; None where the prediction is constant.
        coverage: share of rows in the 90 % interval.
        regret: the truth of the configuration of least prediction over the least truth, less 1.
    """

    mape: float
    nmse: float
    spearman: float | None
    coverage: float
    regret: float


def judge(
    sources: Sequence[Source],
    target: PerformanceTable,
    metric: str,
    strategies: Sequence[str],
    counts: Sequence[int],
    seed: int,
) -> dict[int, dict[str, Score]]:
    """Judges strategies on one target with measurements drawn by one seed.

    The rows are permuted; the last half (at most 1,000) is held out for all strategies and counts alike,
    and measurements are drawn from the rest: its first n rows, or n that guided sampling asks for.

    Returns:
        scores by count and strategy; without those for which there are too few rows.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(target))
    held = order[-min(_HELD_OUT, len(target) // 2) :]
    free = order[: -len(held)]
    pool = Pool(target.space, tuple(sources))
    asked, truth = pool.rows(target.codes[held]), target.metric(metric)[held]
    scores: dict[int, dict[str, Score]] = {}
    for count in counts:
        if count > len(free):
            continue
        drawn = _task(pool, target, metric, free[:count])
        guided_task = _task(
            pool, target, metric, free[worth_measuring(sources[0], target.codes[free], count, rng)]
        )
        tasks = {name: guided_task if name == "guided" else drawn for name in strategies}
        fitted = {name: STRATEGIES[name].fit(task, {}) for name, task in tasks.items()}
        trust = {name: STRATEGIES[name].trust for name in strategies if STRATEGIES[name].trust}
        fitted[CHOOSER] = choose({name: fitted[name] for name in trust}, trust, drawn.values)
        scores[count] = {
            name: _score(tasks.get(name, drawn), one, asked, truth) for name, one in fitted.items()
        }
    return scores


def _task(pool: Pool, target: PerformanceTable, metric: str, rows: Array) -> Task:
    return Task(pool, pool.rows(target.codes[rows]), np.log(target.metric(metric)[rows]))


def _score(task: Task, fitted: Fitted, asked: Rows, truth: Floats) -> Score:
    mean, sd = fitted.predict(asked)
    reach = half_width(task.values, *fitted.held_out)
    predicted = np.exp(mean)
    logs = np.log(truth)
    constant = bool(np.ptp(mean) < 1e-9)
    return Score(
        mape=100 * float(np.mean(np.abs(predicted - truth) / truth)),
        nmse=float(np.mean((predicted - truth) ** 2) / (predicted.mean() * truth.mean())),
        spearman=None if constant else float(spearmanr(mean, truth)[0]),
        coverage=float(np.mean(np.abs(logs - mean) <= reach * sd)),
        regret=float(truth[predicted.argmin()] / truth.min() - 1),
    )


def median_figures(scores: Sequence[Sequence[Score]]) -> Mapping[str, float | None]:
    """Medians over transfers of the median over seeds; of coverage the means, as a median hides tails."""
    found: dict[str, float | None] = {}
    for figure in FIGURES:
        per_pair = []
        for seeds in scores:
            values = [value for score in seeds if (value := getattr(score, figure)) is not None]
            if values:
                per_pair.append(np.mean(values) if figure == "coverage" else np.median(values))
        middle = np.mean if figure == "coverage" else np.median
        found[figure] = float(middle(per_pair)) if per_pair else None
    return found
