"""From sources and a few measurements to a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sidecar.core.errors import InvalidError
from sidecar.estimation.performance.chooser import Chooser, choose, split
from sidecar.estimation.performance.model import PerformanceModel
from sidecar.estimation.performance.source import Source, log_metric
from sidecar.estimation.performance.strategies import CHOOSER, STRATEGIES, Strategy
from sidecar.estimation.performance.table import PerformanceTable
from sidecar.estimation.performance.task import Fitted, Learned, Pool, Task


def fit(
    sources: Sequence[Source],
    target: PerformanceTable,
    metric: str,
    *,
    strategy: str = CHOOSER,
) -> PerformanceModel:
    """Fits a model of one metric to the target's rows, with the help of the sources.

    Args:
        sources: what was learned elsewhere (`Source.learn`), over the same space; may be empty.
        target: what was measured here; may have no rows.
        metric: which of its metrics.
        strategy: a key of `STRATEGIES`, or the chooser over all of them.

    Raises:
        InvalidError: the tables do not go together, the metric is missing or the same everywhere, the
            strategy is unknown or needs more sources or measurements.
    """
    for source in sources:
        if source.metric != metric:
            raise InvalidError(
                f"a source was learned for {source.metric!r}, the target is fitted for {metric!r}: "
                "learn the same metric"
            )
    pool = Pool(target.space, tuple(sources))
    task = Task(pool, pool.rows(target.codes), log_metric(target, metric))
    fitted = chosen(task) if strategy == CHOOSER else named(task, strategy).fit(task, {})
    return PerformanceModel(metric, dict(target.environment), strategy, task, fitted)


def chosen(task: Task) -> Chooser:
    """Fits and weighs every strategy that the chooser trusts and that the task has enough for.

    Raises:
        InvalidError: there is none.
    """
    usable = {
        name: strategy for name, strategy in STRATEGIES.items() if strategy.trust and strategy.fits(task)
    }
    if not usable:
        raise InvalidError(
            "there is neither a source nor enough measurements: give a table from elsewhere, or measure two "
            "configurations here"
        )
    fitted = {name: strategy.fit(task, {}) for name, strategy in usable.items()}
    return choose(fitted, {name: strategy.trust for name, strategy in usable.items()}, task.values)


def refit(
    task: Task, metric: str, environment: Mapping[str, str], strategy: str, learned: Learned
) -> PerformanceModel:
    """Makes a model again from what `PerformanceModel.fitted.learned` kept; nothing is learned anew.

    Raises:
        InvalidError: there is no such strategy, or what it learned is not of this task.
    """
    fitted: Fitted
    if strategy == CHOOSER:
        weights, parts = split(learned)
        members = {name: named(task, name).fit(task, parts.get(name, {})) for name in weights}
        fitted = Chooser(members, weights)
    else:
        fitted = named(task, strategy).fit(task, learned)
    return PerformanceModel(metric, dict(environment), strategy, task, fitted)


def named(task: Task, name: str) -> Strategy:
    """Returns the strategy of that name.

    Raises:
        InvalidError: there is none, or the task has too little for it.
    """
    if name not in STRATEGIES:
        raise InvalidError(f"there is no strategy {name!r}: use one of {', '.join((CHOOSER, *STRATEGIES))}")
    strategy = STRATEGIES[name]
    if not strategy.fits(task):
        raise InvalidError(
            f"strategy {name!r} needs {strategy.sources} sources and {strategy.rows} measurements; there are "
            f"{len(task.pool.sources)} and {len(task.values)}: add some or use another strategy"
        )
    return strategy
