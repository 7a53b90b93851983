"""The composition root of the serving process: it makes and connects all parts."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from pathlib import Path

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from pilotfish.internal.v1 import scoring_pb2
from prometheus_client import CollectorRegistry, ProcessCollector

from sidecar.config import Config, Endpoint, load_config
from sidecar.config.units import split_address
from sidecar.config.watch import FileWatch
from sidecar.core.errors import PilotfishError, UnavailableError
from sidecar.inference.threads import threads_within
from sidecar.serving.api import http
from sidecar.serving.api.candidates import CandidateService
from sidecar.serving.api.performance import PerformanceService
from sidecar.serving.api.ranking import RankingService
from sidecar.serving.board.board import Board
from sidecar.serving.capture.core.intake import Intake, Sampling
from sidecar.serving.capture.push.traffic import TrafficService
from sidecar.serving.control.desired import DesiredState
from sidecar.serving.control.discovery import Discovery
from sidecar.serving.control.listeners import Listeners
from sidecar.serving.incumbent.opening import open_incumbent
from sidecar.serving.link import ScoringLink
from sidecar.serving.telemetry.capture_notices import CaptureNotices
from sidecar.serving.telemetry.metrics import Metrics, Reading
from sidecar.serving.telemetry.opening import open_traces
from sidecar.serving.telemetry.ranking_notices import RankingNotices

_WATCH_S = 1.0
# Names in a line of the log.
_FEW = 5

log = structlog.get_logger("pilotfish")


class Sidecar:
    """The serving process. Call `start`, then `close`; `close` may be repeated, and needs no start."""

    def __init__(self, path: Path, config: Config) -> None:
        self._path = path
        self._watch = FileWatch(path)
        self._desired = DesiredState(config, path.absolute().parent)
        self._discovery = Discovery(self._discovered)
        self._reloads = 0
        self._reload_failures = 0
        self._refused = False
        self._ready = False
        self._closed = False
        self._task: asyncio.Task[None] | None = None

        # capture -> scoring process -> board -> services
        self.board = Board(time.monotonic, lambda name: self._intakes[name].counts.sampled)
        self.link = ScoringLink(config, self._hear)
        self._traces = open_traces(config.traces)
        self._intakes: dict[str, Intake] = {}
        self.listeners = Listeners(open_incumbent)
        self._ranking = RankingService(self, self.board, max_watchers=config.serve.max_watchers)
        self._notices = CaptureNotices(time.monotonic)
        self._ranking_notices = RankingNotices()
        self._health = health.aio.HealthServicer()
        self._serve = config.serve
        self._cpu_share = config.scoring.cpu_share
        self._server: grpc.aio.Server | None = None
        self.grpc_port = 0
        registry = CollectorRegistry()
        registry.register(Metrics(self._read))
        ProcessCollector(registry=registry)
        self.http = http.HttpServer(
            http.application(registry, self._missing, self.listeners.at_path),
            *split_address(config.serve.http),
        )

    async def start(self) -> None:
        """Opens every port and starts scoring.

        Raises:
            UnavailableError: a port cannot be listened on.
            InvalidError: an endpoint has no upstream and its incumbent cannot be loaded.
        """
        await self._apply()
        self._server = self._grpc_server()
        try:
            self.grpc_port = self._server.add_insecure_port(self._serve.grpc)
        except RuntimeError as error:
            raise UnavailableError(
                f"serve.grpc: cannot listen on {self._serve.grpc}; stop what listens there, or change "
                "the address"
            ) from error
        await self.link.start()
        await self._server.start()
        await self.http.start()
        await self._health.set("", health_pb2.HealthCheckResponse.SERVING)
        self._task = asyncio.create_task(self._every_second(), name="pilotfish-watch")
        self._ready = True
        log.info("serving", grpc=self.grpc_port, http=self.http.port, captures=self.listeners.addresses)

    async def close(self) -> None:
        """Stops accepting, lets open calls finish within the grace, ends scoring."""
        if self._closed:
            return
        self._closed = True
        self._ready = False
        log.info("stopping", grace_s=self._serve.grace)
        self.board.close()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._discovery.close()
        await self._health.enter_graceful_shutdown()
        await asyncio.gather(self.listeners.close(self._serve.grace), self._stop_serving())
        await self.link.close()
        await self.http.close()
        if self._traces is not None:
            await asyncio.to_thread(self._traces.close)
        log.info("stopped")

    def intake(self, endpoint: str) -> Intake:
        """Returns the sampler and accounting of an endpoint; raises NotFoundError."""
        self._desired.endpoint(endpoint)
        return self._intakes[endpoint]

    def endpoint(self, name: str) -> Endpoint:
        """Returns the endpoint with all its candidates; raises NotFoundError."""
        return self._desired.endpoint(name)

    def configured(self, endpoint: str) -> frozenset[str]:
        """Returns the names of the candidates that the file lists."""
        return self._desired.configured(endpoint)

    def register(self, endpoint: str, *, name: str, profile: Path, onnx: Path) -> int:
        """Adds a candidate and returns the first generation that has it; raises InvalidError."""
        self._desired.register(endpoint, name=name, profile=profile, onnx=onnx)
        log.info("candidate registered", endpoint=endpoint, candidate=name)
        return self.link.desire(self._desired.config)

    def remove(self, endpoint: str, name: str) -> None:
        """Removes a candidate; raises InvalidError or NotFoundError."""
        self._desired.remove(endpoint, name)
        self.link.desire(self._desired.config)
        log.info("candidate removed", endpoint=endpoint, candidate=name)

    def _discovered(self, endpoint: str) -> None:
        """Takes the models that an endpoint's servers have now."""
        found = self._discovery.candidates(endpoint)
        left_out = (*self._discovery.left_out(endpoint), *self._desired.discover(endpoint, found))
        log.info("models discovered", endpoint=endpoint, models=len(found))
        if left_out:
            log.warning(
                "models cannot be candidates: there is no room, or the name is invalid or taken",
                endpoint=endpoint,
                models=len(left_out),
                first=left_out[:_FEW],
            )
        self.link.desire(self._desired.config)

    def _hear(self, report: scoring_pb2.Report) -> None:
        self.board.hear(report, self.link.lost)
        if self._traces is not None:
            self._traces.round(report)

    async def _apply(self) -> None:
        """Brings captures, board and scoring in line with the desired state."""
        config = self._desired.config
        self._intakes = {one.name: self._intake_for(one) for one in config.endpoints}
        await self.listeners.apply(config.endpoints, self._intakes)
        self.board.configure(config.endpoints)
        self._discovery.configure(config.endpoints)
        for one in config.endpoints:
            self._desired.discover(one.name, self._discovery.candidates(one.name))
        self.link.desire(self._desired.config)

    def _intake_for(self, endpoint: Endpoint) -> Intake:
        """Returns the endpoint's intake; an intake that exists keeps its counts."""
        sample = endpoint.sample
        intake = self._intakes.get(endpoint.name) or Intake(
            endpoint.name,
            fraction=sample.fraction,
            max_per_second=sample.max_per_second,
            max_item_bytes=sample.max_item_bytes,
            sink=self.link,
            uniform=random.random,
            clock=time.monotonic,
        )
        intake.sampling = Sampling(sample.fraction, sample.max_per_second, sample.max_item_bytes)
        intake.segment_key = (endpoint.segments.metadata or "") if endpoint.segments else ""
        return intake

    def _grpc_server(self) -> grpc.aio.Server:
        services = (
            self._ranking,
            CandidateService(self, self.board),
            TrafficService(self),
            PerformanceService(self, self.board, shadow_threads=threads_within(self._cpu_share)),
        )
        limit = self._serve.max_message_bytes
        server = grpc.aio.server(
            interceptors=[] if self._traces is None else [self._traces.interceptor],
            options=[
                ("grpc.max_receive_message_length", limit),
                ("grpc.max_send_message_length", limit),
                # Two sidecars on one port would share the calls between them unseen.
                ("grpc.so_reuseport", 0),
            ],
        )
        server.add_generic_rpc_handlers(tuple(service.methods() for service in services))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = (*(service.name for service in services), health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)
        return server

    async def _stop_serving(self) -> None:
        if self._server is not None:
            await self._server.stop(self._serve.grace)

    async def _every_second(self) -> None:
        while True:
            await asyncio.sleep(_WATCH_S)
            try:
                self.board.age("" if self.link.running else self.link.lost)
                for key, listener in self.listeners.running.items():
                    self._notices.look(key, listener.counts)
                rankings = {name: snapshot.ranking for name, snapshot in self.board.snapshots().items()}
                self._ranking_notices.look(rankings)
                if self._watch.changed():
                    await self._reload()
            except Exception:
                # Whatever went wrong, the next second is looked at again.
                log.exception("watching failed")

    async def _reload(self) -> None:
        before = self._desired.file
        try:
            self._desired.reload(load_config(self._path))
            try:
                await self._apply()
            except PilotfishError:
                self._desired.reload(before)
                await self._apply()
                raise
        except Exception as error:  # noqa: BLE001 - a file that breaks even its checks is a faulty file
            self._reload_failures += 1
            self._refused = True
            log.warning(
                "configuration refused; the previous configuration stays in force",
                path=str(self._path),
                why=str(error),
            )
            return
        self._reloads += 1
        self._refused = False
        log.info("configuration reloaded", path=str(self._path))

    def _missing(self) -> str:
        return "" if self._ready else "not serving yet"

    def _read(self) -> Reading:
        return Reading(
            accounting={name: intake.counts for name, intake in self._intakes.items()},
            ranking_every_s={one.name: one.ranking.every for one in self._desired.config.endpoints},
            snapshots=self.board.snapshots(),
            discovery=self._discovery.states,
            captures={key: listener.counts for key, listener in self.listeners.running.items()},
            scoring_up=self.link.running,
            scoring_restarts=self.link.restarts,
            queued_bytes=self.link.queued_bytes,
            watchers=self._ranking.watchers,
            reloads=self._reloads,
            reload_failures=self._reload_failures,
            refused=self._refused,
        )
