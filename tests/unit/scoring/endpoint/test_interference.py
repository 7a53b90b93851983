"""Shadow work and live calls in a time of their own: who is slowed down, who backs off, who comes back."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import numpy as np
import pytest

from sidecar.scoring.endpoint.interference import Interference

CALL_S = 0.01
# What is heard comes in gathers, as from the pipe.
GATHER_S = 0.5
STEP_S = 0.002


class Play:
    """A model server with live calls at random times, and shadow work whenever it may.

    Attributes:
        slower: how many times as long a live call takes that begins beside shadow work.
        load: how many times as long any call takes, by the time.
        busy_s, idle_s: length of a batch, and of what is between two.
    """

    def __init__(self, *, slower: float = 1.0, busy_s: float = 0.05, idle_s: float = 0.002) -> None:
        self.now = 0.0
        self.slower = slower
        self.load: Callable[[float], float] = lambda _: 1.0
        self.busy_s, self.idle_s = busy_s, idle_s
        self.per_second = 100.0
        self.heard = True
        self.rng = np.random.default_rng(0)
        self.interference = Interference(lambda: self.now)
        self.interference.allow(1.25)
        self.changes: list[tuple[float, bool]] = []
        self.worked_s = 0.0
        self._ends_at: float | None = None
        self._next_at = 0.0
        self._ended: deque[tuple[float, float, float]] = deque()
        self._told_at = 0.0

    def run(self, seconds: float) -> None:
        ends_at = self.now + seconds
        while self.now < ends_at:
            self._work()
            if self.rng.random() < self.per_second * STEP_S:
                self._call()
            if self.now >= self._told_at + GATHER_S:
                self._tell()
            self.now += STEP_S

    def _work(self) -> None:
        if self._ends_at is not None and self.now >= self._ends_at:
            self.interference.ended()
            self._ends_at, self._next_at = None, self.now + self.idle_s
        if self._ends_at is None and self.now >= self._next_at and not self.interference.wait_s():
            self.interference.began()
            self._ends_at = self.now + self.busy_s
            self.worked_s += self.busy_s

    def _call(self) -> None:
        latency_s = CALL_S * self.load(self.now) * float(self.rng.lognormal(0, 0.4))
        latency_s *= self.slower if self._ends_at is not None else 1.0
        self._ended.append((self.now + latency_s, self.now, latency_s))

    def _tell(self) -> None:
        self._told_at = self.now
        later = deque(one for one in self._ended if one[0] > self.now)
        for ended_at, asked_s, latency_s in sorted(self._ended):
            if ended_at <= self.now and self.heard and self.interference.heard(asked_s, latency_s):
                self.changes.append((self.now, self.interference.backed_off))
        self._ended = later


@pytest.mark.parametrize("idle_s", [0.002, 0.02, 1.0])
def test_work_that_slows_nobody_goes_on(idle_s: float) -> None:
    play = Play(idle_s=idle_s)
    play.run(300)
    assert play.changes == []
    assert play.interference.ratio == pytest.approx(1.0, abs=0.25)
    assert play.interference.reason == ""
    # Of the time that it would have worked, it rests for a tenth at most.
    assert play.worked_s > 300 * 0.88 * play.busy_s / (play.busy_s + idle_s)


@pytest.mark.parametrize("idle_s", [0.002, 0.02, 1.0])
@pytest.mark.parametrize("slower", [1.6, 3.0])
def test_work_that_slows_the_server_backs_off(slower: float, idle_s: float) -> None:
    play = Play(slower=slower, idle_s=idle_s, busy_s=0.2)
    play.run(60)
    assert play.changes[0][1]
    play.run(300)
    assert play.interference.backed_off
    assert play.interference.ratio == pytest.approx(slower, rel=0.2)
    assert "times as long for live requests, and interference.latency_ratio allows 1.25" in (
        play.interference.reason
    )
    # Pauses grow: it is tried again now and then, and not more.
    worked_s = play.worked_s
    play.run(600)
    assert 0 < play.worked_s - worked_s < 600 * 0.1


def test_it_comes_back_when_the_server_bears_it() -> None:
    play = Play(slower=2.0)
    play.run(120)
    assert play.interference.backed_off
    play.slower = 1.0
    play.run(120)
    assert not play.interference.backed_off
    assert play.interference.ratio == pytest.approx(1.0, abs=0.2)
    play.run(120)
    assert [backed_off for _, backed_off in play.changes] == [True, False]


def test_a_load_of_others_that_comes_and_goes_is_not_taken_for_its_own() -> None:
    play = Play()
    play.load = lambda now: 2 + math.sin(now / 7) + (now > 150)
    play.run(300)
    assert play.changes == []


def test_slow_calls_have_long_rests() -> None:
    # A call takes a second: rests of a fifth of it could not tell one side from the other.
    play = Play(slower=2.0, busy_s=2.0)
    play.load = lambda _: 100.0
    play.run(200)
    assert play.changes[0][1]
    play = Play()
    play.load = lambda _: 100.0
    play.run(200)
    assert play.changes == []


def test_few_calls_take_longer_and_without_any_nothing_is_known() -> None:
    play = Play(slower=3.0)
    play.per_second = 5.0
    play.run(20)
    assert play.interference.ratio is None
    play.run(600)
    assert play.interference.backed_off

    deaf = Play(slower=3.0)
    deaf.heard = False
    deaf.run(100)
    assert deaf.interference.ratio is None
    assert deaf.changes == []
    assert deaf.worked_s > 92  # and it never rests for nothing


def test_it_goes_on_when_there_is_no_live_traffic_left_to_protect() -> None:
    play = Play(slower=3.0)
    play.run(60)
    assert play.interference.backed_off
    play.per_second = 0.2
    play.run(300)
    assert not play.interference.backed_off


def test_another_bound_begins_anew_and_none_watches_nothing() -> None:
    play = Play(slower=1.6)
    play.run(60)
    assert play.interference.backed_off
    play.interference.allow(2.0)
    assert not play.interference.backed_off
    assert play.interference.ratio is None
    play.run(60)
    assert not play.interference.backed_off
    play.interference.allow(None)
    play.run(60)
    assert play.interference.ratio is None
    assert play.interference.wait_s() == 0.0


def test_memory_is_bounded() -> None:
    play = Play(busy_s=0.004, idle_s=0.02)
    play.run(300)
    kept = play.interference
    assert len(kept._stretches) <= 2048
    assert len(kept._undecided) <= 2000
    assert max(len(side.latencies_s) for side in (kept._beside, kept._alone)) <= 400
