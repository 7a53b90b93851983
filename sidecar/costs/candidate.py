"""What a candidate costs here: declared, or by its performance model moved by what its shadow runs took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from pilotfish.internal.v1 import scoring_pb2

from sidecar.config.schema import Candidate, Performance
from sidecar.core.errors import InvalidError
from sidecar.core.files import file_stamp
from sidecar.core.ranking import Estimate, Known
from sidecar.core.tensors import Floats
from sidecar.estimation.performance.options import ONNX, shadow_configuration, written
from sidecar.estimation.performance.sharpen import Shift, Timing, likeness, moved, shift
from sidecar.estimation.performance.space import Value

if TYPE_CHECKING:
    from sidecar.estimation.performance.model import PerformanceModel

# What a shift of the time does to each: a quantile moves with it, what is done in a second against it.
_MOVES: Final = {"latency_p50_s": 1, "latency_p99_s": 1, "throughput_per_s": -1}
_TIMED: Final = "latency_p50_s"
# Configurations of a file whose predictions are kept: those of its candidates, and some that callers ask for.
_REMEMBERED: Final = 64

_Models = Mapping[str, "PerformanceModel"]


@dataclass(frozen=True, slots=True)
class Predicted:
    """What one configuration costs.

    Attributes:
        configuration: the whole of it.
        objectives: by name, which ends with the unit.
        moved: names of those that shadow runs moved.
        environment: what the model was fitted for.
    """

    configuration: Mapping[str, Value]
    objectives: Mapping[str, Estimate]
    moved: frozenset[str]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Read:
    """A file's models, and what they said: a candidate's configuration is asked for every round."""

    stamp: object
    models: _Models
    said: dict[bytes, dict[str, Estimate]] = field(default_factory=dict)

    def at(self, codes: Floats) -> dict[str, Estimate]:
        key = codes.tobytes()
        if key not in self.said:
            if len(self.said) >= _REMEMBERED:
                self.said.clear()
            self.said[key] = {name: _estimate(model, codes) for name, model in self.models.items()}
        return self.said[key]


class Costs:
    """Reads the candidates' performance models, each again when its file changes."""

    def __init__(self, *, shadow_threads: int) -> None:
        """Prepares; no file is read before it is asked for.

        Args:
            shadow_threads: of candidates whose configuration names none.
        """
        self._shadow_threads = shadow_threads
        self._read: dict[Path, _Read] = {}

    def known(self, candidate: Candidate, timing: scoring_pb2.ShadowTiming) -> Known:
        """All that is known of what a candidate costs as it is served; what is declared comes first."""
        predicted: Mapping[str, Estimate] = {}
        reason = ""
        if candidate.performance is not None:
            try:
                predicted = self.predicted(candidate, candidate.performance, timing).objectives
            except InvalidError as error:
                reason = f"performance: {error}"
        declared = {name: one.estimate for name, one in candidate.objectives.items()}
        return Known({**predicted, **declared}, reason)

    def predicted(
        self,
        candidate: Candidate,
        performance: Performance,
        timing: scoring_pb2.ShadowTiming,
        asked: Mapping[str, Value] | None = None,
    ) -> Predicted:
        """What the candidate's performance model says of a configuration.

        Args:
            candidate: whose shadow runs were timed.
            performance: its model and the options that it is served with.
            timing: of its newest shadow runs; of no runs where there were none.
            asked: options with other values than the candidate is served with.

        Raises:
            InvalidError: the model cannot be read, or does not have such an option or value.
        """
        models = self.read(performance)
        first = next(iter(models.values()))
        codes = first.space.code({**performance.configuration, **(asked or {})})
        objectives = self._read[performance.model].at(codes)
        shifted = self._shift(candidate, models, codes, timing)
        moving = _MOVES.keys() & objectives.keys() if shifted is not None else frozenset()
        return Predicted(
            configuration=first.space.configuration(codes),
            objectives={
                name: _moved(name, one, shifted) if shifted is not None and name in moving else one
                for name, one in objectives.items()
            },
            moved=frozenset(moving),
            environment=first.environment,
        )

    def read(self, performance: Performance) -> _Models:
        """The file's models, by metric.

        Raises:
            InvalidError: the file is missing or broken.
        """
        path = performance.model
        stamp = file_stamp(path)
        if path not in self._read or self._read[path].stamp != stamp:
            # What fits and reads such models is for those who have one.
            from sidecar.formats.performance_model import read_models  # noqa: PLC0415

            self._read[path] = _Read(stamp, read_models(path))
        return self._read[path].models

    def _shift(
        self, candidate: Candidate, models: _Models, codes: Floats, timing: scoring_pb2.ShadowTiming
    ) -> Shift | None:
        """What the shadow's runs say; None where they were not what the model was measured with.

        So it is behind a server, where the way there was timed too, and in a session with entries of its own.
        """
        options = candidate.model.shadow_options
        if options is None:
            return None
        shadow = shadow_configuration(
            threads=options.threads or self._shadow_threads,
            batch_size=timing.batch_size,
            provider=options.provider,
        )
        return _shift(models, codes, timing, shadow)


def _estimate(model: PerformanceModel, codes: Floats) -> Estimate:
    found = model.predict(codes[None])
    return Estimate(float(found.value[0]), float(found.low[0]), float(found.high[0]))


def _shift(
    models: _Models, codes: Floats, timing: scoring_pb2.ShadowTiming, shadowed: Mapping[str, Value]
) -> Shift | None:
    """What the timing says of the time where it is asked; None where nothing can be said.

    That is so where there are no runs, where the model knows no time, and where it cannot tell what the
    shadow's configuration costs: one of its options is outside the model's space, or was held at another
    value (that of `fixed`, or the default) when the model was measured.
    """
    model = models.get(_TIMED)
    if model is None or not timing.runs:
        return None
    held = {**{name: written(option.default) for name, option in ONNX.items()}, **model.environment}
    if any(held[name] != written(shadowed[name]) for name in shadowed.keys() - set(model.space.names)):
        return None
    try:
        there = model.space.code({name: shadowed[name] for name in model.space.names if name in shadowed})
    except InvalidError:
        return None
    features = model.space.features(np.stack([codes, there]))
    seen = Timing(
        predicted=_estimate(model, there),
        lower_quartile_s=timing.lower_quartile_s,
        median_s=timing.median_s,
        likeness=likeness(features[0], features[1]),
    )
    return shift(_estimate(model, codes), seen)


def _moved(name: str, predicted: Estimate, shifted: Shift) -> Estimate:
    # Only the time itself was timed: what else moves with it is known no better than before.
    narrowing = shifted.narrowing if name == _TIMED else 1.0
    return moved(predicted, shifted.factor ** _MOVES[name], narrowing)
