"""The serving process's end of the pipes: starts the scoring process, feeds it, hears its reports."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sys
from collections.abc import Callable

import structlog
from pilotfish.internal.v1 import scoring_pb2

from sidecar.config.schema import Config
from sidecar.wire.frames import LENGTH, frame

_FIRST_BACKOFF_S = 0.5
_LAST_BACKOFF_S = 30.0
_STOP_S = 5.0
_STEADY_S = 60.0
_PIPE_BYTES = 1 << 20
_SILENCE_S = 120.0

log = structlog.get_logger("pilotfish.link")


class ScoringLink:
    """Keeps a scoring process alive. `offer` never blocks and never raises."""

    def __init__(self, config: Config, hear: Callable[[scoring_pb2.Report], None]) -> None:
        self._scoring = config.scoring
        self._log = config.log
        self._hear = hear
        self._desired = b""
        self._generation = 0
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self.restarts = 0

    @property
    def running(self) -> bool:
        """Whether a scoring process is there to take items."""
        return self._process is not None

    @property
    def process_id(self) -> int | None:
        """Of the scoring process, while there is one."""
        return self._process.pid if self._process else None

    @property
    def queued_bytes(self) -> int:
        """What waits for the scoring process in memory."""
        pipe = self._process.stdin if self._process else None
        return pipe.transport.get_write_buffer_size() if pipe else 0

    def desire(self, config: Config) -> int:
        """Tells the scoring process what to be, now and after every restart; returns the generation."""
        self._generation += 1
        desired = scoring_pb2.Desired(generation=self._generation, config_json=config.model_dump_json())
        self._desired = frame(scoring_pb2.Instruction(desired=desired).SerializeToString())
        if self._process and self._process.stdin:
            self._process.stdin.write(self._desired)
        return self._generation

    def offer(self, instruction: bytes) -> bool:
        """Hands over a serialised Instruction; False when the queue is full or nobody is there."""
        pipe = self._process.stdin if self._process else None
        if pipe is None or pipe.is_closing():
            return False
        if pipe.transport.get_write_buffer_size() + len(instruction) > self._scoring.queue:
            return False
        pipe.write(frame(instruction))
        return True

    async def start(self) -> None:
        """Starts the scoring process and keeps restarting it until `close`."""
        self._task = asyncio.create_task(self._keep_alive(), name="scoring-link")

    async def close(self) -> None:
        """Ends the scoring process; a second call does nothing."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _keep_alive(self) -> None:
        backoff = _FIRST_BACKOFF_S
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            try:
                code: int | str = await self._run()
            except OSError as error:
                code = str(error)
            self.restarts += 1
            if loop.time() - started > _STEADY_S:
                backoff = _FIRST_BACKOFF_S
            log.error(
                "scoring process ended; rankings grow stale until it is back", code=code, retry_s=backoff
            )
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, _LAST_BACKOFF_S)

    async def _run(self) -> int:
        """One life of a scoring process; returns its exit code."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # nothing of the working directory is imported
            "-m",
            "sidecar.scoring",
            f"--cpu-share={self._scoring.cpu_share}",
            f"--priority={self._scoring.priority}",
            f"--log-level={self._log.level}",
            f"--log-format={self._log.format}",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # One thread for matrix products: the budget is a share of one core.
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        self._process = process
        _widen(process)
        log.info("scoring process started", process=process.pid)
        try:
            if process.stdin is None or process.stdout is None:
                raise RuntimeError("a subprocess with pipes has them")
            process.stdin.write(self._desired)
            with contextlib.suppress(asyncio.IncompleteReadError):
                while True:
                    async with asyncio.timeout(_SILENCE_S):
                        (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
                        message = await process.stdout.readexactly(length)
                    self._tell(message)
            return await process.wait()
        except TimeoutError:
            log.error("scoring process gave no sign of life; it is ended", silent_s=_SILENCE_S)  # noqa: TRY400 - the time is all there is to tell
            process.kill()
            return await process.wait()
        finally:
            self._process = None
            if process.returncode is None:
                await _end(process)

    def _tell(self, message: bytes) -> None:
        try:
            self._hear(scoring_pb2.Report.FromString(message))
        except Exception:
            # The link must outlive whoever listens.
            log.exception("report not taken")


def _widen(process: asyncio.subprocess.Process) -> None:
    """Lets the pipe hold what gathers until the scoring process reads, so that the loop need not wake."""
    pipe = process.stdin.transport.get_extra_info("pipe") if process.stdin else None
    if pipe is not None:
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Closes the pipe, which ends the process; one that hangs is killed."""
    if process.stdin:
        process.stdin.transport.abort()
    try:
        await asyncio.wait_for(process.wait(), _STOP_S)
    except TimeoutError:
        process.kill()
        await process.wait()
