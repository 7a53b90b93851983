"""Passes inputs to a server on this node in shared memory instead of in the request.

A region is unregistered only if no request can still be reading it, because some servers crash otherwise.
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
# How long closing waits for the server.
_LEAVING_S: Final = 0.5


@dataclass(slots=True, eq=False)
class Region:
    """Memory that the server knows by `name`; `settled` says that no request can still be reading it."""

    name: str
    memory: mmap.mmap
    settled: bool = True

    def write(self, contents: Sequence[bytes]) -> list[int]:
        """Writes contents one after the other; returns the offset of each."""
        places, at = [], 0
        for content in contents:
            self.memory[at : at + len(content)] = content
            places.append(at)
            at += len(content)
        return places


class SharedInputs:
    """The regions: as many as there are requests under way at once. All methods are safe for threads."""

    def __init__(self, server: V2Server) -> None:
        self._server = server
        self._lock = threading.Lock()
        self._idle: list[Region] = []

    def check(self) -> None:
        """Checks that the server supports shared memory.

        Raises:
            UnavailableError: the server was not reached.
            InvalidError: the server does not support shared memory.
        """
        self._regions()

    @contextmanager
    def lend(self, size_bytes: int) -> Iterator[Region]:
        """Lends a region of at least that size for one request, which the caller sends inside the block.

        Raises:
            UnavailableError: the server was not reached, or no longer knows the region.
            InvalidError: the server cannot share memory with us, or the size is too large.
        """
        region = self._taken(size_bytes)
        try:
            yield region
        except UnavailableError:
            # The next request may overwrite this request's inputs, because nobody waits for its answer.
            region.settled = False
            self._give_back(region)
            raise
        except InvalidError as error:
            if region.name not in self._regions():
                # Closed here: the error's traceback would keep the mapping until garbage is collected.
                region.memory.close()
                raise UnavailableError(
                    f"{self._server.address}: the server was restarted and has forgotten our shared memory: "
                    "the next request registers it again"
                ) from error
            self._give_back(region)
            raise
        self._give_back(region)

    def close(self) -> None:
        """Unregisters the regions that no request can still be reading; the server keeps the others."""
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
                f"{self._server.address}: a batch has {size_bytes} bytes of inputs, and at most "
                f"{LARGEST_BYTES} can be shared: lower `v2.batch`"
            )
        with self._lock:
            fitting = next((region for region in self._idle if len(region.memory) >= size_bytes), None)
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
                # Writing to a file without room behind it would kill this process.
                os.posix_fallocate(file, 0, size_bytes)
                memory = mmap.mmap(file, size_bytes)
                self._register(name, size_bytes)
            finally:
                os.close(file)
                # The server has opened the file by now, so removing it here leaves nothing behind in a crash.
                path.unlink()
        except OSError as error:
            raise InvalidError(
                f"{_FOLDER}: cannot reserve {size_bytes} bytes of shared memory ({error.strerror}): make "
                "room there, lower `v2.batch`, or leave `v2.shared_memory` out"
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
                f"{error}; the server must run on this node and see our {_FOLDER} to share memory: mount it "
                "there, or leave `v2.shared_memory` out"
            ) from error

    def _unregister(self, region: Region) -> None:
        if region.settled:
            request = service_pb2.SystemSharedMemoryUnregisterRequest(name=region.name)
            # A server that no longer knows the region has nothing to release.
            with suppress(InvalidError):
                self._server.call_once("SystemSharedMemoryUnregister", request, _LEAVING_S)
        region.memory.close()

    def _regions(self) -> frozenset[str]:
        """Returns the names of all regions that the server knows."""
        told = self._server.known("SystemSharedMemoryStatus", service_pb2.SystemSharedMemoryStatusRequest())
        if told is None:
            raise InvalidError(
                f"{self._server.address}: the server has no system shared memory (UNIMPLEMENTED): "
                "leave `v2.shared_memory` out"
            )
        return frozenset(told.regions)
