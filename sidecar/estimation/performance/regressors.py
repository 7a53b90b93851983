"""The paper's regressors on the target alone, through scikit-learn (the extra `perf`).

No answer of the service depends on them: the chooser does not consider them. They are what a transfer is
measured against. The paper's MARS is not in scikit-learn.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Floats
from sidecar.estimation.performance.task import Curve, Learned, Rows, Task, curve

# Class and arguments in scikit-learn. Defaults, but for what a few rows need and for repeatable answers.
_REGRESSORS: Final[Mapping[str, tuple[str, str, Mapping[str, Any]]]] = {
    "tree": ("sklearn.tree", "DecisionTreeRegressor", {"random_state": 0}),
    "forest": ("sklearn.ensemble", "RandomForestRegressor", {"random_state": 0, "n_estimators": 50}),
    "boosting": ("sklearn.ensemble", "GradientBoostingRegressor", {"random_state": 0}),
    "svr": ("sklearn.svm", "SVR", {"C": 10.0, "epsilon": 0.01}),
    "mlp": (
        "sklearn.neural_network",
        "MLPRegressor",
        {"random_state": 0, "solver": "lbfgs", "max_iter": 500},
    ),
}
# Each costs tens of milliseconds to fit; the held-out errors only set the width of intervals.
_FOLDS: Final = 3


def fit(kind: str, task: Task, learned: Learned) -> Curve:  # noqa: ARG001 - it is fitted anew, without pickle
    """Fits a regressor to the logarithms.

    Args:
        kind: tree, forest, boosting, svr or mlp.
        task: the task, of which only the measured rows are used.
        learned: not used.

    Raises:
        InvalidError: scikit-learn is not installed.
    """
    module, name, arguments = _REGRESSORS[kind]
    try:
        regressor = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise InvalidError(
            f"regressor {kind!r} needs scikit-learn: install it with `pip install 'pilotfish[perf]'`, or use "
            "the chooser, which needs nothing"
        ) from error
    return curve(task, partial(_fit, lambda: regressor(**arguments)), folds=_FOLDS)


def _fit(made: Callable[[], Any], rows: Rows, values: Floats) -> Callable[[Rows], Floats]:
    regressor = made().fit(rows.features, values)
    return lambda asked: regressor.predict(asked.features)
