"""The measurement: rounds over all configurations, then one row for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Floats
from sidecar.estimation.performance.space import Space, Value
from sidecar.estimation.performance.table import PerformanceTable
from sidecar.tools.measuring.journal import Journal
from sidecar.tools.measuring.observation import RESOLUTIONS, Observation
from sidecar.tools.measuring.statistics import over_rounds, quietest

# Cores that others keep busy: less hardly touches a request, and no system is without its daemons.
QUIET_CORES: Final = 0.1
# Times the rounds, at most; a machine that others use all the time is measured as it is.
_PATIENCE: Final = 2


class Runner(Protocol):
    """A way to run the model."""

    def observe(self, configuration: Mapping[str, Value]) -> Observation:
        """Runs the model in one configuration; options that it does not name are at their defaults.

        Raises:
            InvalidError: it does not run in this configuration.
            UnavailableError: it does not run now.
        """
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a measurement yields.

    Attributes:
        table: a row for each configuration that runs; every metric with its `_low` and `_high`.
        failures: the configurations that do not run, with why.
        others: cores that other programs kept busy during what was used, at the most disturbed row.
    """

    table: PerformanceTable
    failures: tuple[tuple[dict[str, Value], str], ...]
    others: float


def measure(
    codes: Floats,
    *,
    space: Space,
    fixed: Mapping[str, Value],
    environment: Mapping[str, str],
    runner: Runner,
    journal: Journal,
    rounds: int,
    rng: np.random.Generator,
    progress: Callable[[], None],
) -> Outcome:
    """Measures configurations in rounds, each round all of them in another order.

    So a drift of the machine meets all configurations alike. Rounds in which others used the processor are
    repeated, up to as many again, and the quietest are used; where none was quiet, more would be no better.

    Args:
        codes: the configurations, shape [configurations, options].
        space: space of the codes.
        fixed: options that are the same everywhere.
        environment: columns of the table.
        runner: runs the model.
        journal: keeps what was observed.
        rounds: observations of each configuration.
        rng: the order.
        progress: called after each of the `rounds` observations of a configuration.

    Raises:
        InvalidError: no configuration runs.
        UnavailableError: the model cannot be reached; what was observed is kept.
    """
    configurations = [space.configuration(row) for row in codes]
    for number in range(_PATIENCE * rounds):
        if number == rounds and not any(seen.others <= QUIET_CORES for seen in journal.observations.values()):
            break
        for place in rng.permutation(len(configurations)).tolist():
            if place in journal.failures or _quiet(journal, place, number) >= rounds:
                continue
            if (number, place) not in journal.observations:
                try:
                    seen = runner.observe({**fixed, **configurations[place]})
                except InvalidError as error:
                    journal.failed(place, str(error))
                    continue
                journal.observed(number, place, seen)
            if number < rounds:
                progress()
    failures = tuple((configurations[place], why) for place, why in sorted(journal.failures.items()))
    measured = [place for place in range(len(configurations)) if place not in journal.failures]
    if not measured:
        journal.remove()
        raise InvalidError(f"no configuration runs; the first: {failures[0][1]}")
    used = [_used(journal, place, rounds) for place in measured]
    columns: dict[str, Floats] = {}
    for name in used[0][0].metrics:
        rows = [
            over_rounds(np.array([seen.metrics[name] for seen in one]), RESOLUTIONS.get(name, 0.0))
            for one in used
        ]
        columns[name] = np.array([row.value for row in rows])
        columns[f"{name}_low"] = np.array([row.low for row in rows])
        columns[f"{name}_high"] = np.array([row.high for row in rows])
    table = PerformanceTable(space, environment, codes[measured], columns)
    others = max(float(np.mean([seen.others for seen in one])) for one in used)
    return Outcome(table, failures, others)


def _quiet(journal: Journal, place: int, before: int) -> int:
    """How many quiet observations of a configuration there are before a round."""
    seen = (journal.observations.get((number, place)) for number in range(before))
    return sum(one is not None and one.others <= QUIET_CORES for one in seen)


def _used(journal: Journal, place: int, rounds: int) -> list[Observation]:
    """The quietest observations of a configuration, in the order of the rounds."""
    seen = [one for (_, of), one in sorted(journal.observations.items()) if of == place]
    return [seen[index] for index in quietest(np.array([one.others for one in seen]), rounds)]
