"""A candidate in the scoring process: its files, its answers, and why it gives none."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from pilotfish.internal.v1 import scoring_pb2

from sidecar.config.schema import Candidate
from sidecar.domain.answers import class_probabilities, logit_energies
from sidecar.domain.casting import cast
from sidecar.domain.errors import InvalidError, PilotfishError
from sidecar.domain.evidence import SourceThresholds
from sidecar.domain.profile import SourceProfile
from sidecar.domain.tensors import Array, Batch, Floats, TensorSpec
from sidecar.files import file_stamp
from sidecar.measures.scale import deviations
from sidecar.measures.thresholds import source_thresholds
from sidecar.scoring.answers import Answers
from sidecar.scoring.batches import Prepared
from sidecar.scoring.target import TargetBins

# A feature far outside the source's range must not outweigh all others.
_FARTHEST: Final = 5.0
# Enough for quartiles, few enough to follow a machine that changes.
_TIMED_RUNS: Final = 256
_NO_WORDS: Final = np.empty(0, dtype=np.object_)


class Model(Protocol):
    """What answers for a candidate; the runners of `sidecar.shadow` are such."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The model's inputs, in its order."""
        ...

    @property
    def sha256(self) -> str:
        """Of the model's file."""
        ...

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Answers items; arrays [items, ...] by tensor name.

        Raises:
            InvalidError: the inputs do not fit, or the model fails on them.
        """
        ...


class OpenModel(Protocol):
    """Loads a candidate's model and its profile."""

    def __call__(self, candidate: Candidate) -> tuple[Model, SourceProfile]:
        """Loads both.

        Raises:
            InvalidError: a file is missing or broken, or the profile is not this model's.
        """
        ...


@dataclass(frozen=True, slots=True)
class Loaded:
    """A candidate that can answer."""

    model: Model
    profile: SourceProfile
    thresholds: SourceThresholds | None
    answers: Answers
    target: TargetBins
    segments: dict[str, TargetBins]

    def evict(self, before_id: int, segments: AbstractSet[str]) -> None:
        """Drops the bins of items before `before_id`, and those of segments other than the given."""
        for name in self.segments.keys() - segments:
            del self.segments[name]
        for bins in (self.target, *self.segments.values()):
            bins.evict(before_id)


class ShadowCandidate:
    """Answers the window's items in their order; what fails is counted and explained, not raised."""

    def __init__(
        self, settings: Candidate, *, window_items: int, open_model: OpenModel, clock: Callable[[], float]
    ) -> None:
        self.settings = settings
        self.loaded: Loaded | None = None
        self.reason = ""
        self.next_id = 0
        self.items = 0
        self.failures = 0
        self.answers_seen = 0
        self.shadow_s = 0.0
        self.runs: deque[tuple[int, float]] = deque(maxlen=_TIMED_RUNS)
        self._window_items = window_items
        self._open_model = open_model
        self._clock = clock
        self._files: tuple[object, ...] = ()

    def load(self) -> bool:
        """Loads the files if they are new or changed; a failure is kept as the reason.

        Returns:
            Whether there was anything to do.
        """
        files = (file_stamp(self.settings.onnx.path), file_stamp(self.settings.profile))
        if files == self._files:
            return False
        self._files = files
        self.next_id = 0
        self.runs.clear()
        try:
            model, profile = self._open_model(self.settings)
        except PilotfishError as error:
            self.loaded, self.reason = None, str(error)
            return True
        answers = Answers(self._window_items, len(profile.classes))
        self.loaded = Loaded(model, profile, source_thresholds(profile), answers, TargetBins(profile), {})
        self.reason = ""
        return True

    def answer(
        self, batch: Prepared, *, tensor: str | None, live: Array | None, segments: Mapping[str, Array]
    ) -> None:
        """Answers one batch of the window; a model without classes has done so once the inputs are binned.

        Args:
            batch: the items; not answered before.
            tensor: the request's tensor for a model whose one input has another name.
            live: the model's output as the traffic showed it, where this is the incumbent.
            segments: rows of the batch by their segment; empty where the window is not split.
        """
        if self.loaded is None:
            return
        items = batch.batch.items
        self.next_id = batch.first_id + items
        try:
            inputs = self._inputs(self.loaded.model, batch.batch, tensor)
            features = batch.features(inputs, self.loaded.profile.inputs)
            _check_width(features, self.loaded.profile)
            model, profile = self.loaded.model, self.loaded.profile
            words = batch.words(inputs, profile.inputs) if profile.words else _NO_WORDS
            ids = batch.first_id + np.arange(items)
            self.loaded.target.add(ids, features, words)
            for name, rows in segments.items():
                self.loaded.segments.setdefault(name, TargetBins(profile)).add(
                    ids[rows], batch.part(features, rows), batch.part(words, rows) if profile.words else words
                )
            if profile.output_kind == "none":
                # Nothing would be done with its answers, so the model need not run.
                self.loaded.answers.put(batch.first_id, np.empty((items, 0)))
                return
            output = self._run(model, profile.output, inputs) if live is None else live
            probabilities = class_probabilities(output, profile.output_kind)
            _check_shape(probabilities.shape, items, profile)
            energies = logit_energies(output) if profile.output_kind == "logits" else None
            self.loaded.answers.put(batch.first_id, probabilities, energies)
            if live is None:
                self.items += items
            else:
                self.answers_seen += items
        except Exception as error:  # noqa: BLE001 - whatever a candidate does, the others go on
            self.failures += items
            self.reason = str(error) or type(error).__name__

    def standardised(self, batch: Prepared, *, tensor: str | None) -> Floats:
        """The items' features in deviations from the source's mean, those far away clipped [items, d].

        Raises:
            InvalidError: the candidate is not loaded, or the items are not what its profile knows.
        """
        if self.loaded is None:
            raise InvalidError(self.reason)
        profile = self.loaded.profile
        features = batch.features(self._inputs(self.loaded.model, batch.batch, tensor), profile.inputs)
        _check_width(features, profile)
        apart = (features - profile.mean) / deviations(profile.variance)
        return np.asarray(apart.clip(-_FARTHEST, _FARTHEST))

    def takes(self, batch: Batch, *, tensor: str | None) -> bool:
        """Whether items have the tensors, shapes and kinds that the profile was built with."""
        if self.loaded is None:
            return True
        try:
            inputs = self._inputs(self.loaded.model, batch, tensor)
            for spec in self.loaded.profile.inputs:
                cast(inputs[spec.name], spec)
        except InvalidError:
            return False
        return all(inputs[spec.name].shape[1:] == spec.shape for spec in self.loaded.profile.inputs)

    def answered(self, ids: Array) -> Array:
        """Which items it answered; bool, shape of `ids`."""
        return self.loaded.answers.has(ids) if self.loaded else np.zeros(len(ids), dtype=bool)

    def timing(self) -> scoring_pb2.ShadowTiming:
        """How long its newest runs took, of the batch size that came most often; no runs if none."""
        if not self.runs:
            return scoring_pb2.ShadowTiming()
        batch_size, _ = Counter(items for items, _ in self.runs).most_common(1)[0]
        seconds = [one for items, one in self.runs if items == batch_size]
        lower, median = np.quantile(seconds, (0.25, 0.5)).tolist()
        return scoring_pb2.ShadowTiming(
            batch_size=batch_size, runs=len(seconds), lower_quartile_s=lower, median_s=median
        )

    def _run(self, model: Model, output: str, inputs: dict[str, Array]) -> Array:
        start = self._clock()
        try:
            answers = model.run(inputs)[output]
        finally:
            seconds = self._clock() - start
            self.shadow_s += seconds
        self.runs.append((len(answers), seconds))
        return answers

    def _inputs(self, model: Model, batch: Batch, tensor: str | None) -> dict[str, Array]:
        """The model's inputs by its own names."""
        inputs = {}
        for spec in model.inputs:
            name = self.settings.onnx.inputs.get(spec.name, spec.name)
            if name not in batch.inputs and len(model.inputs) == 1:
                name = tensor or (next(iter(batch.inputs)) if len(batch.inputs) == 1 else name)
            if name not in batch.inputs:
                raise InvalidError(
                    f"model input {spec.name!r}: the request has no tensor {name!r} but "
                    f"{sorted(batch.inputs)}; name it in `onnx.inputs` or `input.tensor`"
                )
            inputs[spec.name] = batch.inputs[name]
        return inputs


def _check_width(features: Array, profile: SourceProfile) -> None:
    if features.shape[1] != len(profile.low):
        raise InvalidError(
            f"the items have {features.shape[1]} features and the profile {len(profile.low)}; build it from "
            "data of the traffic's shape"
        )


def _check_shape(shape: tuple[int, ...], items: int, profile: SourceProfile) -> None:
    if shape != (items, len(profile.classes)):
        raise InvalidError(
            f"answers of shape {list(shape)} to {items} items, and the profile knows "
            f"{len(profile.classes)} classes; build it with --classes or --output"
        )
