"""The loop of the scoring process: it reads, answers, ranks, reports, and rests as the budget says."""

from __future__ import annotations

import resource
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import BinaryIO

import structlog
from pilotfish.internal.v1 import scoring_pb2
from pydantic import ValidationError

from sidecar.config.schema import Config
from sidecar.costs.candidate import Costs
from sidecar.scoring.cpu_budget import CpuBudget
from sidecar.scoring.endpoint.rounds import Round
from sidecar.scoring.endpoint.scorer import EndpointScorer
from sidecar.scoring.giving_back import give_back
from sidecar.scoring.report import report
from sidecar.scoring.runners.model import OpenModel
from sidecar.scoring.runners.server_budget import ServerBudgets
from sidecar.wire.frames import FrameReader, frame
from sidecar.wire.v2.codec import decode_observation
from sidecar.wire.v2.elements import UnreadableError

# The longest time between signs of life; the serving process ends a scoring process that gives none. A long
# round gives signs of life too, after each measure, candidate and segment.
_IDLE_S = 5.0
# How long requests gather before they are read.
_GATHER_S = 1.0
# How long a request may stay unread while the worker waits for servers.
_ANSWERS_S = 0.05
# Reads before the next piece of work, so that a flood fills the serving process's bounded queue, not this
# process.
_READS = 16
_PAGE_BYTES = resource.getpagesize()

log = structlog.get_logger("pilotfish.scoring")


class Worker:
    """Works for all endpoints of one scoring process."""

    def __init__(
        self,
        read_from: int,
        write_to: BinaryIO,
        *,
        open_model: OpenModel,
        costs: Costs,
        budget: CpuBudget,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        resting: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._reader = FrameReader(read_from)
        self._write_to = write_to
        self._open_model = open_model
        self._costs = costs
        self._budget = budget
        self._clock = clock
        self._sleep = sleep
        self._resting = resting
        self._sent_at = clock()
        self._generation = 0
        self._scorers: dict[str, EndpointScorer] = {}
        self._servers = ServerBudgets(clock)

    def run(self) -> None:
        """Works until the pipe from the serving process closes.

        Requests gather for a moment before they are read, because work in one stretch disturbs a model server
        on the same cores less than work after every request. They are read only when all work is done, so
        that a backlog fills the serving process's queue, which is bounded, and not this process.
        """
        unread: deque[bytes] = deque()
        while True:
            rest_s = self._budget.wait_s()
            if rest_s:
                with self._resting():
                    self._sleep(rest_s)
            elif unread:
                self._take(scoring_pb2.Instruction.FromString(unread.popleft()))
            elif not self._work():
                try:
                    with self._resting():
                        unread.extend(self._gathered())
                except EOFError:
                    break
            self._live()
        for scorer in self._scorers.values():
            scorer.close()

    def _gathered(self) -> list[bytes]:
        """Waits for the next round, answer or message, and reads the messages that are there.

        Messages gather for a moment, except while answers are under way: the next batch must follow an answer
        at once.
        """
        due = [scorer.due_in() for scorer in self._scorers.values()]
        under_way = [answer for scorer in self._scorers.values() for answer in scorer.under_way]
        if under_way:
            wait(under_way, min([*due, _ANSWERS_S]), FIRST_COMPLETED)
        if not self._reader.wait(0.0 if under_way else min([*due, _IDLE_S])):
            return []
        if not under_way:
            halves = [scorer.settings.ranking.every / 2 for scorer in self._scorers.values()]
            self._sleep(min(_GATHER_S, *halves) if halves else 0.0)
        messages: list[bytes] = []
        for _ in range(_READS):
            if not self._reader.wait(0.0):
                break
            messages += self._reader.read()
        return messages

    def _live(self, under_way: str = "") -> None:
        """Sends a sign of life, which is a report without a ranking, if the last message is old.

        Args:
            under_way: name of the endpoint whose round is under way; empty between rounds.
        """
        if self._clock() - self._sent_at >= _IDLE_S:
            self._send(scoring_pb2.Report(under_way=under_way))

    def _send(self, message: scoring_pb2.Report) -> None:
        self._sent_at = self._clock()
        self._write_to.write(frame(message.SerializeToString()))
        self._write_to.flush()

    def _take(self, instruction: scoring_pb2.Instruction) -> None:
        if instruction.HasField("desired"):
            self._configure(instruction.desired)
            return
        observation = instruction.observation
        scorer = self._scorers.get(observation.endpoint)
        if scorer is None:
            return
        self._hear(scorer, observation)
        try:
            scorer.observe(decode_observation(observation), observation.segment)
        except UnreadableError as error:
            scorer.reject(error.reason)
        except Exception as error:  # noqa: BLE001 - one request must not end the scoring of all others
            log.error("request not understood", endpoint=observation.endpoint, kind=type(error).__name__)  # noqa: TRY400 - a traceback may show payload
            scorer.reject("undecodable")

    def _hear(self, scorer: EndpointScorer, observation: scoring_pb2.Observation) -> None:
        """Tells an endpoint how long the model server took, and logs if shadow work backs off or goes on."""
        interference = scorer.interference
        if not observation.HasField("latency_s"):
            return
        if interference.heard(observation.asked_s, observation.latency_s):
            name, ratio = scorer.settings.name, interference.ratio
            if interference.backed_off:
                log.warning("shadow work backs off", endpoint=name, latency_ratio=ratio)
            else:
                log.info("shadow work goes on", endpoint=name, latency_ratio=ratio)

    def _configure(self, desired: scoring_pb2.Desired) -> None:
        try:
            config = Config.model_validate_json(desired.config_json)
        except ValidationError:
            log.exception("desired state not understood, the old state stays")
            return
        self._generation = desired.generation
        budget = config.interference
        self._servers.in_flight, self._servers.bytes_per_second = budget.in_flight, budget.bytes_per_second
        kept = self._scorers
        self._scorers = {}
        for endpoint in config.endpoints:
            scorer = kept.get(endpoint.name)
            if scorer is None:
                scorer = EndpointScorer(
                    endpoint,
                    open_model=self._open_model,
                    costs=self._costs,
                    clock=self._clock,
                    servers=self._servers,
                    alive=partial(self._live, endpoint.name),
                )
            else:
                scorer.configure(endpoint)
            scorer.interference.allow(budget.latency_ratio)
            self._scorers[endpoint.name] = scorer
        for name in kept.keys() - self._scorers.keys():
            kept[name].close()

    def _work(self) -> bool:
        """Does one small piece of work, so that the budget is kept smoothly; False if there is no work."""
        for name, scorer in self._scorers.items():
            try:
                made = scorer.round()
            except Exception:
                # This endpoint's ranking becomes stale; the other endpoints go on.
                log.exception("round failed", endpoint=name, round=scorer.rounds)
                continue
            if made is not None:
                self._report(scorer, made)
            elif not scorer.step():
                continue
            # The endpoint that had its turn goes to the end, so that no endpoint starves.
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
        self._send(message)
        give_back()


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES
