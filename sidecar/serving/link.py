"""Starts the scoring process, sends it samples, and receives its reports."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

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
# Processor time without a sign of life that no piece of a round takes: what used as much goes in circles.
_WORK_S = 120.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")

log = structlog.get_logger("pilotfish.link")


class ScoringLink:
    """Keeps a scoring process alive. `offer` never blocks and never raises."""

    def __init__(
        self, config: Config, hear: Callable[[scoring_pb2.Report], None], *, silence_s: float = _SILENCE_S
    ) -> None:
        """Prepares; `start` starts the process.

        Args:
            config: of the scoring process and its log.
            hear: takes every report.
            silence_s: a process that is silent for so long, and neither works nor waits for the processor,
                hangs.
        """
        self._scoring = config.scoring
        self._log = config.log
        self._hear = hear
        self._desired = b""
        self._generation = 0
        self._process: asyncio.subprocess.Process | None = None
        self._pipe: asyncio.WriteTransport | None = None
        self._task: asyncio.Task[None] | None = None
        self._silence_s = silence_s
        self.restarts = 0
        self.lost = ""

    @property
    def running(self) -> bool:
        """Tells whether a scoring process runs and takes items."""
        return self._process is not None

    @property
    def process_id(self) -> int | None:
        """Returns the process id of the scoring process, or None if it does not run."""
        return self._process.pid if self._process else None

    @property
    def queued_bytes(self) -> int:
        """Returns how many bytes wait in memory for the scoring process."""
        return self._pipe.get_write_buffer_size() if self._pipe else 0

    def desire(self, config: Config) -> int:
        """Tells the scoring process what to be, now and after every restart; returns the generation."""
        self._generation += 1
        desired = scoring_pb2.Desired(generation=self._generation, config_json=config.model_dump_json())
        self._desired = frame(scoring_pb2.Instruction(desired=desired).SerializeToString())
        if self._pipe:
            self._pipe.write(self._desired)
        return self._generation

    def offer(self, instruction: bytes) -> bool:
        """Hands over a serialised Instruction; False when the queue is full or nobody is there."""
        pipe = self._pipe
        if pipe is None or pipe.is_closing():
            return False
        if pipe.get_write_buffer_size() + len(instruction) > self._scoring.queue:
            return False
        pipe.write(frame(instruction))
        return True

    async def start(self) -> None:
        """Starts the scoring process and keeps restarting it until `close`; returns when it takes items."""
        tried = asyncio.Event()
        self._task = asyncio.create_task(self._keep_alive(tried), name="scoring-link")
        self._task.add_done_callback(lambda _: tried.set())
        await tried.wait()

    async def close(self) -> None:
        """Ends the scoring process; a second call does nothing."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _keep_alive(self, tried: asyncio.Event) -> None:
        """Runs one scoring process after the other; sets the event once the first takes items or failed."""
        backoff = _FIRST_BACKOFF_S
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            try:
                code = await self._run(tried)
            except OSError as error:
                code = str(error)
                tried.set()
            self.restarts += 1
            self.lost = (
                f"the scoring process ended ({code}) and starts anew: its window and the evidence "
                "that it had gathered are lost"
            )
            if loop.time() - started > _STEADY_S:
                backoff = _FIRST_BACKOFF_S
            log.error(
                "scoring process ended; rankings grow stale until it is back", code=code, retry_s=backoff
            )
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, _LAST_BACKOFF_S)

    async def _run(self, tried: asyncio.Event) -> str:
        """One life of a scoring process; tells how it ended."""
        process, pipe = await self._started()
        self._process, self._pipe = process, pipe
        tried.set()
        log.info("scoring process started", process=process.pid)
        try:
            if process.stdout is None:
                raise RuntimeError("the scoring process was started without a pipe for its reports")
            pipe.write(self._desired)
            with contextlib.suppress(asyncio.IncompleteReadError):
                while True:
                    (length,) = LENGTH.unpack(await self._heard(process, process.stdout, LENGTH.size))
                    self._tell(await self._heard(process, process.stdout, length))
            return f"exit code {await process.wait()}"
        except TimeoutError:
            log.error("scoring process gave no sign of life and is killed", silent_s=self._silence_s)  # noqa: TRY400 - the time is all there is to tell
            process.kill()
            await process.wait()
            return f"it gave no sign of life for {self._silence_s:g} s"
        finally:
            self._process = self._pipe = None
            # A closed pipe ends the process.
            if not pipe.is_closing():
                pipe.abort()
            if process.returncode is None:
                await _end(process)

    async def _started(self) -> tuple[asyncio.subprocess.Process, asyncio.WriteTransport]:
        """Starts a scoring process; returns it with the pipe that it reads."""
        # uvloop would give the process a socket, which holds a fifth of what a pipe can.
        read_end, write_end = os.pipe()
        pipe = os.fdopen(write_end, "wb", buffering=0)
        try:
            # Whatever gathers until the process reads fits into the pipe, so that the loop need not wake.
            with contextlib.suppress(OSError):
                fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # nothing of the working directory is imported
                "-m",
                "sidecar.scoring",
                f"--cpu-share={self._scoring.cpu_share}",
                f"--priority={self._scoring.priority}",
                f"--log-level={self._log.level}",
                f"--log-format={self._log.format}",
                stdin=read_end,
                stdout=asyncio.subprocess.PIPE,
                # One thread for matrix products: the budget is a share of one core.
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
            transport, _ = await asyncio.get_running_loop().connect_write_pipe(asyncio.BaseProtocol, pipe)
        except BaseException:
            pipe.close()
            raise
        finally:
            os.close(read_end)
        return process, transport

    async def _heard(
        self, process: asyncio.subprocess.Process, pipe: asyncio.StreamReader, size: int
    ) -> bytes:
        """Reads so many bytes, and lets a process be silent while it works or waits for the processor.

        Raises:
            TimeoutError: it hangs.
            IncompleteReadError: it ended.
        """
        reading = asyncio.ensure_future(pipe.readexactly(size))
        first = before = _activity(process.pid)
        try:
            while not (await asyncio.wait({reading}, timeout=self._silence_s))[0]:
                now = _activity(process.pid)
                if hangs(first, before, now):
                    raise TimeoutError
                log.warning("scoring process is silent and at work", silent_s=self._silence_s)
                before = now
            return reading.result()
        finally:
            reading.cancel()

    def _tell(self, message: bytes) -> None:
        try:
            self._hear(scoring_pb2.Report.FromString(message))
        except Exception:
            # The link must outlive whoever listens.
            log.exception("report not taken")


@dataclass(frozen=True, slots=True)
class Activity:
    """The kernel's view of a process.

    Attributes:
        runnable: whether it runs or waits for the processor.
        used_s: processor time of all its threads.
    """

    runnable: bool
    used_s: float


def hangs(first: Activity | None, before: Activity | None, now: Activity | None) -> bool:
    """Tells whether a silent process hangs.

    At idle priority on a busy machine a second of work takes minutes: such a process is silent, yet works.

    Args:
        first: when it was last heard; None where the kernel tells nothing, as of `before` and `now`.
        before: a silence ago.
        now: as it is.
    """
    if first is None or before is None or now is None:
        return True
    works = now.runnable or now.used_s > before.used_s
    return not works or now.used_s - first.used_s >= _WORK_S


def _activity(process_id: int) -> Activity | None:
    """Reads a process's activity; None where there is no such process, or no /proc."""
    try:
        text = Path(f"/proc/{process_id}/stat").read_text()
    except OSError:
        return None
    # The name may hold anything: behind its bracket stand the state, and 12th and 13th the times.
    fields = text.rpartition(")")[2].split()
    return Activity(fields[0] == "R", (int(fields[11]) + int(fields[12])) / _TICKS_PER_S)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Waits for a process whose pipe was closed; kills it if it does not end in time."""
    try:
        await asyncio.wait_for(process.wait(), _STOP_S)
    except TimeoutError:
        process.kill()
        await process.wait()
