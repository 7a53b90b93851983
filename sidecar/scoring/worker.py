"""The loop of the scoring process: read, answer, rank, report, and rest as the budget says."""

from __future__ import annotations

import resource
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import structlog
from pilotfish.internal.v1 import scoring_pb2

from sidecar.capture.elements import UnreadableError
from sidecar.capture.v2 import decode_observation
from sidecar.config.schema import Config
from sidecar.scoring.candidate import OpenModel
from sidecar.scoring.endpoint import EndpointScorer, Round
from sidecar.scoring.frames import FrameReader, frame
from sidecar.scoring.report import report
from sidecar.shadow.budget import CpuBudget

_IDLE_S = 60.0
_GATHER_S = 0.1
_GATHER_S = 1.0
_PAGE_BYTES = resource.getpagesize()

log = structlog.get_logger("pilotfish.scoring")


class Worker:
    """All endpoints of one scoring process. `run` returns when the serving process is gone."""

    def __init__(
        self,
        read_from: int,
        write_to: BinaryIO,
        *,
        open_model: OpenModel,
        budget: CpuBudget,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._reader = FrameReader(read_from)
        self._write_to = write_to
        self._open_model = open_model
        self._budget = budget
        self._clock = clock
        self._sleep = sleep
        self._generation = 0
        self._scorers: dict[str, EndpointScorer] = {}

    def run(self) -> None:
        """Works until the pipe from the serving process closes.

        Samples are let gather for a moment: work in one short stretch disturbs a model server on the
        same cores less than work after every request. They are read when all work is done, so that a
        backlog fills the serving process's queue, which is bounded, and not this process.
        """
        unread: deque[bytes] = deque()
        while True:
            rest_s = self._budget.wait_s()
            if rest_s:
                self._sleep(rest_s)
            elif unread:
                self._take(scoring_pb2.Instruction.FromString(unread.popleft()))
            elif not self._work():
                try:
                    if self._reader.wait(self._idle_s()):
                        self._sleep(_GATHER_S)
                        unread.extend(self._reader.read())
                except EOFError:
                    return

    def _idle_s(self) -> float:
        return min((scorer.due_in() for scorer in self._scorers.values()), default=_IDLE_S)

    def _take(self, instruction: scoring_pb2.Instruction) -> None:
        if instruction.HasField("desired"):
            self._configure(instruction.desired)
            return
        observation = instruction.observation
        scorer = self._scorers.get(observation.endpoint)
        if scorer is None:
            return
        try:
            scorer.observe(decode_observation(observation))
        except UnreadableError as error:
            scorer.reject(error.reason)
        except Exception as error:  # noqa: BLE001 - one odd request must not end the scoring of all others
            log.error("request not understood", endpoint=observation.endpoint, kind=type(error).__name__)  # noqa: TRY400 - a traceback may show payload
            scorer.reject("undecodable")

    def _configure(self, desired: scoring_pb2.Desired) -> None:
        config = Config.model_validate_json(desired.config_json)
        self._generation = desired.generation
        kept = self._scorers
        self._scorers = {}
        for endpoint in config.endpoints:
            scorer = kept.get(endpoint.name)
            if scorer is None:
                scorer = EndpointScorer(endpoint, open_model=self._open_model, clock=self._clock)
            else:
                scorer.configure(endpoint)
            self._scorers[endpoint.name] = scorer

    def _work(self) -> bool:
        """One small piece of work, so that the budget is kept smoothly; False when there was none."""
        for name, scorer in self._scorers.items():
            try:
                made = scorer.round()
            except Exception:
                # This endpoint's ranking grows stale; the others go on.
                log.exception("round failed", endpoint=name)
                continue
            if made is not None:
                self._report(scorer, made)
            elif not scorer.step():
                continue
            # The endpoint that was served goes to the end, so that none starves.
            self._scorers[name] = self._scorers.pop(name)
            return True
        return False

    def _report(self, scorer: EndpointScorer, made: Round) -> None:
        log.debug("round", endpoint=scorer.settings.name, round=made.number, seconds=made.seconds)
        message = report(
            scorer,
            made,
            generation=self._generation,
            made_at_s=time.time(),
            cpu_s=time.process_time(),
            resident_bytes=_resident_bytes(),
        )
        self._write_to.write(frame(message.SerializeToString()))
        self._write_to.flush()


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES
