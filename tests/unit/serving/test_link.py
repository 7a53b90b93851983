"""The link to the scoring process, with a program in its place; and which silent process hangs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest
import uvloop
from pilotfish.internal.v1 import scoring_pb2

from sidecar.config import Config
from sidecar.serving import link
from sidecar.serving.link import Activity, ScoringLink, hangs

WAITS = Activity(runnable=True, used_s=5.0)
SLEEPS = Activity(runnable=False, used_s=5.0)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (SLEEPS, True),
        # At idle priority it may get no processor time at all.
        (WAITS, False),
        # The main thread waits for others that work.
        (Activity(runnable=False, used_s=6.0), False),
        (Activity(runnable=True, used_s=124.9), False),
        (Activity(runnable=True, used_s=125.0), True),
        (None, True),
    ],
)
def test_a_silent_process_hangs_when_it_does_nothing_or_too_much(
    now: Activity | None, *, expected: bool
) -> None:
    assert hangs(WAITS, WAITS, now) is expected


def test_work_since_the_last_sign_counts_as_a_whole() -> None:
    assert hangs(WAITS, Activity(runnable=True, used_s=120.0), Activity(runnable=True, used_s=126.0))


def test_where_the_kernel_tells_nothing_silence_is_all_there_is() -> None:
    assert hangs(None, None, None)


# A scoring process that reports the generation of every desired state that it reads, and dies of an item.
ECHO = """
import sys
from pilotfish.internal.v1 import scoring_pb2
from sidecar.wire.frames import LENGTH, frame
while head := sys.stdin.buffer.read(LENGTH.size):
    read = scoring_pb2.Instruction.FromString(sys.stdin.buffer.read(*LENGTH.unpack(head)))
    if not read.HasField("desired"):
        sys.exit(3)
    report = scoring_pb2.Report(endpoint="digits", generation=read.desired.generation)
    sys.stdout.buffer.write(frame(report.SerializeToString()))
    sys.stdout.buffer.flush()
"""
# Reads nothing, and does not end when its pipe is closed.
DEAF = "import time\nwhile True: time.sleep(60)\n"
CANDIDATE = {"name": "a", "profile": "a.st", "onnx": {"path": "a.onnx"}}
ITEM = scoring_pb2.Instruction(observation=scoring_pb2.Observation(endpoint="digits")).SerializeToString()


class Heard:
    """Takes the reports and waits for one."""

    def __init__(self) -> None:
        self.reports: asyncio.Queue[int] = asyncio.Queue()
        self.fails = False

    def __call__(self, report: scoring_pb2.Report) -> None:
        self.reports.put_nowait(report.generation)
        if self.fails:
            raise ValueError("whoever listens may be at fault")

    async def next(self) -> int:
        return await asyncio.wait_for(self.reports.get(), 30)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - the link has no event for it
            await asyncio.sleep(0.01)


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes the link start a program in place of the scoring process."""

    def use(text: str) -> None:
        program = tmp_path / "program"
        program.write_text(f"#!{sys.executable}\n{text}")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))

    monkeypatch.setattr(link, "_FIRST_BACKOFF_S", 0.01)
    monkeypatch.setattr(link, "_STOP_S", 0.2)
    return use


def config(queue: int = 1 << 20) -> Config:
    endpoint = {"name": "digits", "incumbent": "a", "candidates": [CANDIDATE]}
    return Config.model_validate({"endpoints": [endpoint], "scoring": {"queue": queue}})


def play(talk: Callable[[ScoringLink, Heard], Coroutine[None, None, None]], queue: int = 1 << 20) -> None:
    async def all_of_it() -> None:
        heard = Heard()
        started = ScoringLink(config(queue), heard)
        started.desire(config())
        await started.start()
        try:
            await talk(started, heard)
        finally:
            await started.close()
            await started.close()
        assert started.process_id is None
        assert not started.offer(ITEM)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(all_of_it())


def test_a_process_is_told_what_to_be_first_and_again_after_it_ended(
    stand_in: Callable[[str], None],
) -> None:
    async def talk(started: ScoringLink, heard: Heard) -> None:
        assert await heard.next() == 1
        assert started.desire(config()) == 2
        assert await heard.next() == 2
        assert started.lost == ""
        assert started.offer(ITEM)
        assert await heard.next() == 2
        assert started.restarts == 1
        assert "ended (exit code 3)" in started.lost

    stand_in(ECHO)
    play(talk)


def test_the_link_outlives_a_listener_that_fails(stand_in: Callable[[str], None]) -> None:
    async def talk(started: ScoringLink, heard: Heard) -> None:
        heard.fails = True
        assert await heard.next() == 1
        started.desire(config())
        assert await heard.next() == 2
        assert started.restarts == 0

    stand_in(ECHO)
    play(talk)


def test_what_waits_is_bounded_and_a_process_that_does_not_end_is_killed(
    stand_in: Callable[[str], None],
) -> None:
    queue, large = 1 << 22, bytes(1 << 18)

    async def talk(started: ScoringLink, _: Heard) -> None:
        await until(lambda: started.running)
        taken = 0
        # Beside the queue there is the pipe's own buffer.
        while started.offer(large) and taken < 100:
            taken += 1
            await asyncio.sleep(0)
        assert queue // len(large) - 1 <= taken <= (queue + (1 << 20)) // len(large)
        assert started.queued_bytes <= queue

    stand_in(DEAF)
    play(talk, queue)


def test_a_program_that_cannot_be_started_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk(started: ScoringLink, _: Heard) -> None:
        await until(lambda: started.restarts == 2)
        assert not started.running
        assert "No such file" in started.lost

    monkeypatch.setattr(link, "_FIRST_BACKOFF_S", 0.01)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    play(talk)
