"""How long fitting and predicting take, beside one gradient boosting fit on the same rows."""

from __future__ import annotations

import time
from statistics import median

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor

from benchmarks.performance_models.report import Bar
from sidecar.estimation.performance.fit import fit
from sidecar.estimation.performance.source import Source
from sidecar.estimation.performance.space import Option, OptionKind, Space
from sidecar.estimation.performance.table import PerformanceTable

_ROWS, _OPTIONS = 768, 12


def speed() -> list[Bar]:
    """Fits 768 rows of 12 options, as source and as target; predicts one configuration many times."""
    rng = np.random.default_rng(0)
    values = (1.0, 2.0, 3.0, 4.0)
    space = Space(tuple(Option(f"option{number}", OptionKind.LOG, values, 1.0) for number in range(_OPTIONS)))
    codes = space.draw(_ROWS, rng)
    features = space.features(codes)
    logs = features @ rng.normal(size=_OPTIONS) + features[:, 0] * features[:, 1]
    source, target = (
        PerformanceTable(
            space, {"machine": name}, codes, {"time_s": np.exp(logs + rng.normal(0, 0.03, _ROWS))}
        )
        for name in ("a", "b")
    )
    learn = _seconds(lambda: Source.learn(source, "time_s"))
    learned = Source.learn(source, "time_s")
    fitting = _seconds(lambda: fit([learned], target, "time_s"))
    model = fit([learned], target, "time_s")
    one = codes[:1]
    model.predict(one)
    predicting = median(_seconds(lambda: model.predict(one), repeats=1) for _ in range(200))
    boosting = _seconds(lambda: GradientBoostingRegressor().fit(features, logs))
    both = learn + fitting
    return [
        Bar(
            "fitting source and target of 768 x 12 rows < 2 s",
            f"{both:.2f} s ({learn:.2f} + {fitting:.2f}; boosting {boosting:.2f} s, {both / boosting:.1f} x)",
            both < 2,
        ),
        Bar("one prediction < 1 ms", f"{1e3 * predicting:.2f} ms", predicting < 1e-3),
    ]


def _seconds(work: object, repeats: int = 3) -> float:
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()  # type: ignore[operator]
        found.append(time.perf_counter() - start)
    return median(found)
