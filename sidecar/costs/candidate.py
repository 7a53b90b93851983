"""Tells what a candidate costs: as declared, or as its performance model and its shadow runs predict."""

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

# How each objective moves with the time of a run: 1 moves with it, -1 against it.
_MOVES: Final = {"latency_p50_s": 1, "latency_p99_s": 1, "throughput_per_s": -1}
_TIMED: Final = "latency_p50_s"
# Configurations of a file whose predictions are kept: enough for its candidates and for some that callers ask
# about.
_REMEMBERED: Final = 64

_Models = Mapping[str, "PerformanceModel"]


@dataclass(frozen=True, slots=True)
class Predicted:
    """What one configuration costs.

    Attributes:
        configuration: values of all options.
        objectives: estimates by the objective's name, which ends with its unit.
        moved: names of the objectives that shadow runs moved.
        environment: the environment that the performance model was fitted for.
    """

    configuration: Mapping[str, Value]
    objectives: Mapping[str, Estimate]
    moved: frozenset[str]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Read:
    """A file's models, and the predictions that rounds ask for again and again."""

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
    """Reads the candidates' performance models; reads a file again when it changes."""

    def __init__(self, *, shadow_threads: int) -> None:
        """Prepares; a file is read when it is first needed.

        Args:
            shadow_threads: threads of candidates whose configuration does not set threads.
        """
        self._shadow_threads = shadow_threads
        self._read: dict[Path, _Read] = {}

    def known(self, candidate: Candidate, timing: scoring_pb2.ShadowTiming) -> Known:
        """Returns what a candidate costs as it is served; a declared value replaces a predicted value."""
        predicted: Mapping[str, Estimate] = {}
        reason = ""
        if candidate.performance is not None:
            try:
                predicted = self.predicted(candidate, candidate.performance, timing).objectives
            except InvalidError as error:
                reason = f"performance: {error}"
        declared = {name: objective.estimate for name, objective in candidate.objectives.items()}
        return Known({**predicted, **declared}, reason)

    def predicted(
        self,
        candidate: Candidate,
        performance: Performance,
        timing: scoring_pb2.ShadowTiming,
        asked: Mapping[str, Value] | None = None,
    ) -> Predicted:
        """Returns what the candidate's performance model predicts for a configuration.

        Args:
            candidate: the candidate whose shadow runs were timed.
            performance: the candidate's performance model and the options that it is served with.
            timing: times of the candidate's newest shadow runs; empty if there were no runs.
            asked: options whose values differ from those that the candidate is served with.

        Raises:
            InvalidError: the model cannot be read, or has no such option or value.
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
                name: _moved(name, estimate, shifted) if shifted is not None and name in moving else estimate
                for name, estimate in objectives.items()
            },
            moved=frozenset(moving),
            environment=first.environment,
        )

    def read(self, performance: Performance) -> _Models:
        """Returns the file's models by metric.

        Raises:
            InvalidError: the file is missing or broken.
        """
        path = performance.model
        stamp = file_stamp(path)
        if path not in self._read or self._read[path].stamp != stamp:
            # The code that fits and reads performance models is loaded only if there is a model.
            from sidecar.formats.performance_model import read_models  # noqa: PLC0415

            self._read[path] = _Read(stamp, read_models(path))
        return self._read[path].models

    def _shift(
        self, candidate: Candidate, models: _Models, codes: Floats, timing: scoring_pb2.ShadowTiming
    ) -> Shift | None:
        """Returns the shift that the shadow runs show; None if the model's measurements differ.

        They differ behind a server, where the network was timed too, and in a session with configured
        entries.
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
    """Returns how much longer or shorter the runs took than predicted; None if the timing does not tell.

    The timing does not tell if there are no runs, if the model does not predict times, or if the model cannot
    predict the shadow's configuration: an option's value is outside the model's space, or differs from the
    value (of `fixed`, or the default) that the option had in all measurements.
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
    # Only the time was measured, so the interval of no other objective becomes narrower.
    narrowing = shifted.narrowing if name == _TIMED else 1.0
    return moved(predicted, shifted.factor ** _MOVES[name], narrowing)
