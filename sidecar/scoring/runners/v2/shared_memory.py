"""Inputs that a server on this node reads from memory that it shares with us, not from the request.

Only regions that no request can still be reading are unregistered: some servers crash on others.
"""

from __future__ import annotations

import mmap
import os
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tritonclient.grpc import service_pb2

from sidecar.core.errors import InvalidError, UnavailableError
from sidecar.wire.v2.server import LARGEST_BYTES, V2Server

_FOLDER: Final = Path("/dev/shm")  # noqa: S108 - where Linux has POSIX shared memory
_LEAST_BYTES: Final = 1 << 16
# A server that is left is not waited for.
_LEAVING_S: Final = 0.5


@dataclass(slots=True, eq=False)
class Region:
    """Memory that the server knows by a name; `settled` while no request can still be reading it."""

    name: str
    memory: mmap.mmap
    settled: bool = True

    def write(self, contents: Sequence[bytes]) -> list[int]:
        """Puts contents one behind the other; returns where each begins."""
        places, at = [], 0
        for content in contents:
            self.memory[at : at + len(content)] = content
            places.append(at)
            at += len(content)
        return places


class SharedInputs:
    """As many regions as requests are under way at once, each as large as its largest; safe for threads."""

    def __init__(self, server: V2Server) -> None:
        self._server = server
        self._lock = threading.Lock()
        self._idle: list[Region] = []

    def check(self) -> None:
        """Asks whether the server has shared memory at all.

        Raises:
            UnavailableError: the server was not reached.
            InvalidError: it has none.
        """
        self._regions()

    @contextmanager
    def lend(self, size_bytes: int) -> Iterator[Region]:
        """A region of at least that size, for one request; the caller asks the server within.

        Raises:
            UnavailableError: the server was not reached, or does not know the region any more.
            InvalidError: it cannot share memory with us, or the size is beyond all bounds.
        """
        region = self._taken(size_bytes)
        try:
            yield region
        except UnavailableError:
            # The next request may overwrite what this one sent: nobody waits for its answer.
            region.settled = False
            self._give_back(region)
            raise
        except InvalidError as error:
            if region.name not in self._regions():
                raise UnavailableError(
                    f"{self._server.address}: was started anew and has forgotten our shared memory"
                ) from error
            self._give_back(region)
            raise
        self._give_back(region)

    def close(self) -> None:
        """Unregisters what no request can still be reading; the rest goes with the server."""
        with self._lock:
            idle, self._idle = self._idle, []
        with suppress(UnavailableError):
            for region in idle:
                self._unregister(region)

    def _give_back(self, region: Region) -> None:
        with self._lock:
            self._idle.append(region)

    def _taken(self, size_bytes: int) -> Region:
        if size_bytes > LARGEST_BYTES:
            raise InvalidError(
                f"{self._server.address}: {size_bytes} bytes of inputs, and {LARGEST_BYTES} may be shared: "
                "lower `v2.batch`"
            )
        with self._lock:
            fitting = next((one for one in self._idle if len(one.memory) >= size_bytes), None)
            region = fitting or next(iter(self._idle), None)
            if region is not None:
                self._idle.remove(region)
        if fitting is not None:
            return fitting
        if region is not None:
            self._unregister(region)
        return self._made(max(_LEAST_BYTES, 1 << (size_bytes - 1).bit_length()))

    def _made(self, size_bytes: int) -> Region:
        name = f"pilotfish-{uuid.uuid4().hex}"
        path = _FOLDER / name
        try:
            file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
            try:
                # A file that only seems to have room would end this process at the first write.
                os.posix_fallocate(file, 0, size_bytes)
                memory = mmap.mmap(file, size_bytes)
                self._register(name, size_bytes)
            finally:
                os.close(file)
                # The server has opened it by now; whatever ends us, nothing is left here.
                path.unlink()
        except OSError as error:
            raise InvalidError(
                f"{_FOLDER}: {size_bytes} bytes of shared memory cannot be had ({error.strerror}): make room "
                "there, lower `v2.batch`, or leave `v2.shared_memory` out"
            ) from error
        return Region(name, memory)

    def _register(self, name: str, size_bytes: int) -> None:
        request = service_pb2.SystemSharedMemoryRegisterRequest(
            name=name, key=f"/{name}", offset=0, byte_size=size_bytes
        )
        try:
            self._server.call("SystemSharedMemoryRegister", request)
        except InvalidError as error:
            raise InvalidError(
                f"{error}; shared memory needs a server on this node that sees our {_FOLDER}: "
                "or leave `v2.shared_memory` out"
            ) from error

    def _unregister(self, region: Region) -> None:
        if region.settled:
            request = service_pb2.SystemSharedMemoryUnregisterRequest(name=region.name)
            # A server that does not know it any more has nothing to let go.
            with suppress(InvalidError):
                self._server.call_once("SystemSharedMemoryUnregister", request, _LEAVING_S)
        region.memory.close()

    def _regions(self) -> frozenset[str]:
        """Names of all that the server knows."""
        told = self._server.known("SystemSharedMemoryStatus", service_pb2.SystemSharedMemoryStatusRequest())
        if told is None:
            raise InvalidError(
                f"{self._server.address}: no system shared memory (UNIMPLEMENTED): "
                "leave `v2.shared_memory` out"
            )
        return frozenset(told.regions)
