"""Reads one item a line: {"model": NAME, "X": [numbers]}."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Mapping

from pilotfish.internal.v1 import scoring_pb2
from pilotfish.v1 import traffic_pb2

from sidecar.core.errors import UnavailableError
from sidecar.serving.capture.core.counts import CaptureCounts
from sidecar.serving.capture.core.intake import Intake


class LineServer:
    """Listens for lines; knows nothing of the configuration."""

    def __init__(self, listen: str, intakes: Mapping[str, Intake]) -> None:
        self.address = listen
        self._intakes = dict(intakes)
        self._server: asyncio.Server | None = None
        self._unwatched_calls = 0
        self._unreadable_calls = 0

    @property
    def counts(self) -> CaptureCounts:
        return CaptureCounts(self._unwatched_calls, self._unreadable_calls)

    def watch(self, intakes: Mapping[str, Intake]) -> None:
        self._intakes = dict(intakes)

    async def start(self) -> None:
        host, _, port = self.address.rpartition(":")
        try:
            self._server = await asyncio.start_server(self._read, host, int(port))
        except OSError as error:
            raise UnavailableError(f"cannot listen on {self.address}: {error}") from error
        self.address = f"{host}:{self._server.sockets[0].getsockname()[1]}"

    async def close(self, grace_s: float) -> None:  # noqa: ARG002 - a toy has no grace
        server, self._server = self._server, None
        if server is not None:
            server.close()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for line in reader:
            try:
                told = json.loads(line)
                model, values = str(told["model"]), [float(value) for value in told["X"]]
            except (ValueError, LookupError, TypeError):
                self._unreadable_calls += 1
                continue
            self._take(model, values)
        writer.close()

    def _take(self, model: str, values: list[float]) -> None:
        intake = self._intakes.get(model)
        if intake is None:
            self._unwatched_calls += 1
        elif intake.wants():
            tensor = traffic_pb2.Tensor(
                name="X",
                datatype="FP32",
                shape=[1, len(values)],
                contents=struct.pack(f"<{len(values)}f", *values),
            )
            pushed = traffic_pb2.ObserveRequest(endpoint=intake.endpoint, inputs=[tensor])
            intake.take(scoring_pb2.Observation(endpoint=intake.endpoint, pushed=pushed))
