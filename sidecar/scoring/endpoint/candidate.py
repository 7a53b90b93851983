"""A candidate in the scoring process: its files, its answers, and why it gives none."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

import numpy as np
from pilotfish.internal.v1 import scoring_pb2

from sidecar.config.schema import Candidate
from sidecar.core.answers import class_probabilities, logit_energies
from sidecar.core.casting import cast
from sidecar.core.errors import InvalidError, PilotfishError, UnavailableError
from sidecar.core.evidence import SourceThresholds
from sidecar.core.files import file_stamp
from sidecar.core.profile import SourceProfile
from sidecar.core.tensors import Array, Batch, Floats
from sidecar.estimation.measures.scale import deviations
from sidecar.estimation.measures.thresholds import source_thresholds
from sidecar.scoring.endpoint.answers import Answers
from sidecar.scoring.endpoint.asking import Answer, Asking
from sidecar.scoring.endpoint.batches import Prepared
from sidecar.scoring.endpoint.binning import Binning
from sidecar.scoring.endpoint.interference import Interference
from sidecar.scoring.runners.breaker import Breaker
from sidecar.scoring.runners.model import Model, OpenModel, Served
from sidecar.scoring.runners.server_budget import ServerBudgets
from sidecar.scoring.runners.server_times import ServerTimes

# A feature far outside the source's range must not outweigh all others.
_FARTHEST: Final = 5.0
# Enough for quartiles, few enough to follow a machine that changes.
_TIMED_RUNS: Final = 256
# How often items that a server did not answer in time are gone back to before it has answered newer ones:
# as often as its breaker needs to open.
_RETURNS: Final = 2


@dataclass(frozen=True, slots=True)
class Loaded:
    """A candidate that can answer."""

    model: Model
    asking: Asking
    profile: SourceProfile
    thresholds: SourceThresholds | None
    answers: Answers
    binning: Binning


class ShadowCandidate:
    """Answers the window's items in their order; what fails is counted and explained, not raised."""

    def __init__(
        self,
        settings: Candidate,
        *,
        window_items: int,
        open_model: OpenModel,
        clock: Callable[[], float],
        interference: Interference,
        servers: ServerBudgets,
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
        self._interference = interference
        self._servers = servers
        self._files: tuple[object, ...] = ()
        self._missed_from: int | None = None
        self._answered_to = 0
        self._returns = 0

    @property
    def elsewhere(self) -> bool:
        """Whether its model is behind a server, so that nobody waits for it."""
        return self.settings.model.behind is not None

    @property
    def out(self) -> bool:
        """Whether its server is left alone for a while; `reason` says why."""
        breaker = self.loaded.asking.breaker if self.loaded else None
        return breaker is not None and breaker.open

    @property
    def admits(self) -> bool:
        """Whether it may be given a batch now."""
        return self.loaded is not None and self.loaded.asking.admits()

    @property
    def wait_s(self) -> float:
        """Seconds until its server may be sent more bytes."""
        return self.loaded.asking.wait_s() if self.loaded else 0.0

    @property
    def under_way(self) -> tuple[Future[Answer], ...]:
        """Batches that its model has yet to answer."""
        return self.loaded.asking.under_way if self.loaded else ()

    @property
    def server_times(self) -> ServerTimes | None:
        """What requests take at its server; None where that does not tell, or does not answer."""
        model = self.loaded.model if self.loaded is not None and not self.out else None
        return model.times if isinstance(model, Served) else None

    def load(self) -> bool:
        """Loads the files if they are new or changed; a failure is kept as the reason.

        Returns:
            Whether there was anything to do.
        """
        files = tuple(file_stamp(path) for path in self.settings.files)
        if files == self._files:
            return False
        self.close()
        self._files = files
        self.next_id = self._answered_to = self._returns = 0
        self._missed_from = None
        self.runs.clear()
        try:
            model, profile = self._open_model(self.settings)
        except PilotfishError as error:
            self.reason = str(error)
            return True
        behind = self.settings.model.behind
        self.loaded = Loaded(
            model,
            Asking(
                model,
                profile.output,
                at_once=behind.in_flight if behind else 0,
                clock=self._clock,
                interference=self._interference,
                server=self._servers.of(behind.url) if behind else None,
            ),
            profile,
            source_thresholds(profile),
            Answers(self._window_items, len(profile.classes)),
            Binning(profile),
        )
        self.reason = ""
        return True

    def close(self) -> None:
        """Lets the model go; a second time does nothing."""
        if self.loaded is not None:
            self.loaded.asking.close()
        self.loaded = None

    def asks(self, live: Array | None) -> bool:
        """Whether a batch takes the model's time, where `live` is the output that the traffic showed."""
        # Nothing would be done with the answers of a model without classes, so it need not run.
        return live is None and self.loaded is not None and self.loaded.profile.output_kind != "none"

    def give(
        self, batch: Prepared, *, tensor: str | None, live: Array | None, segments: Mapping[str, Array]
    ) -> None:
        """Gives one batch of the window to the model; one without classes is done once the inputs are binned.

        Args:
            batch: the items.
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
            # What cannot be binned is not asked.
            self.loaded.binning.features(batch, inputs)
            if self.asks(live):
                self.loaded.asking.ask(batch.first_id, items, inputs)
            # A server answers in the meantime.
            self.loaded.binning.add(batch, inputs, segments)
            if self.loaded.profile.output_kind == "none":
                self.loaded.answers.put(batch.first_id, np.empty((items, 0)))
            elif live is not None:
                _keep(self.loaded, batch.first_id, items, live)
                self.answers_seen += items
        except Exception as error:  # noqa: BLE001 - whatever a candidate does, the others go on
            self._failed(items, error)
        self.take()

    def begin_again(self, until_id: int) -> None:
        """Goes back to what a server missed that is left alone, once all before `until_id` was tried."""
        if self.out and self._missed_from is not None and self.next_id >= until_id:
            self.next_id = self._missed_from

    def take(self) -> bool:
        """Takes the answers that are there; False when there are none."""
        if self.loaded is None:
            return False
        answers = self.loaded.asking.arrived()
        for answer in answers:
            self.shadow_s += answer.seconds
            error = _fault(self.loaded, answer)
            if error is None:
                self.items += answer.items
                self.runs.append((answer.items, answer.seconds))
            else:
                self._failed(answer.items, error)
            if self.loaded.asking.breaker is not None:
                self._go_on(self.loaded.asking.breaker, answer, error)
        return bool(answers)

    def _failed(self, items: int, error: Exception) -> None:
        self.failures += items
        self.reason = str(error) or type(error).__name__

    def _go_on(self, breaker: Breaker, answer: Answer, error: Exception | None) -> None:
        """Decides which items are asked next, after an answer or a failure behind a server.

        A batch that was not answered in time is, a few times. While the server is left alone it is tried with
        what comes next, so that no odd batch keeps the candidate out; once it answers, all that it missed
        is asked again, however it failed on that: it may be another one now.
        """
        if error is None:
            was_out, missed_from = breaker.open, self._missed_from
            breaker.succeeded()
            self._missed_from = None
            self.reason = ""
            # Only when there is something new to show for it, so that going back ends.
            if answer.first_id >= self._answered_to:
                self._answered_to = answer.first_id + answer.items
                self._returns = 0
                if was_out and missed_from is not None:
                    self.next_id = min(self.next_id, missed_from)
            return
        breaker.failed()
        missed_from = answer.first_id if self._missed_from is None else self._missed_from
        self._missed_from = min(missed_from, answer.first_id)
        if not breaker.open and isinstance(error, UnavailableError) and self._returns < _RETURNS:
            self._returns += 1
            self.next_id = min(self.next_id, answer.first_id)

    def standardised(self, batch: Prepared, *, tensor: str | None) -> Floats:
        """The items' features in deviations from the source's mean, those far away clipped [items, d].

        Raises:
            InvalidError: the candidate is not loaded, or the items are not what its profile knows.
        """
        if self.loaded is None:
            raise InvalidError(self.reason)
        profile = self.loaded.profile
        inputs = self._inputs(self.loaded.model, batch.batch, tensor)
        features = self.loaded.binning.features(batch, inputs)
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

    def _inputs(self, model: Model, batch: Batch, tensor: str | None) -> dict[str, Array]:
        """The model's inputs by its own names."""
        inputs = {}
        for spec in model.inputs:
            name = self.settings.model.inputs.get(spec.name, spec.name)
            if name not in batch.inputs and len(model.inputs) == 1:
                name = tensor or (next(iter(batch.inputs)) if len(batch.inputs) == 1 else name)
            if name not in batch.inputs:
                raise InvalidError(
                    f"model input {spec.name!r}: the request has no tensor {name!r} but "
                    f"{sorted(batch.inputs)}; name it in the candidate's `inputs` or in `input.tensor`"
                )
            inputs[spec.name] = batch.inputs[name]
        return inputs


def _fault(loaded: Loaded, answer: Answer) -> Exception | None:
    """Keeps an answer; says why there is nothing to keep."""
    if isinstance(answer.output, Exception):
        return answer.output
    try:
        _keep(loaded, answer.first_id, answer.items, answer.output)
    except Exception as error:  # noqa: BLE001 - whatever a model answers, the others go on
        return error
    return None


def _keep(loaded: Loaded, first_id: int, items: int, output: Array) -> None:
    profile = loaded.profile
    if profile.output_kind == "none":
        raise InvalidError("a model without classes has no answers to keep")
    probabilities = class_probabilities(output, profile.output_kind)
    _check_shape(probabilities.shape, items, profile)
    energies = logit_energies(output) if profile.output_kind == "logits" else None
    loaded.answers.put(first_id, probabilities, energies)


def _check_shape(shape: tuple[int, ...], items: int, profile: SourceProfile) -> None:
    if shape != (items, len(profile.classes)):
        raise InvalidError(
            f"answers of shape {list(shape)} to {items} items, and the profile knows "
            f"{len(profile.classes)} classes; build it with --classes or --output"
        )
