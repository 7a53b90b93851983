import random
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilotfish.internal.v1 import scoring_pb2
from pilotfish.v1 import traffic_pb2

from sidecar.serving.capture.core.intake import Intake, Sampling
from sidecar.wire.reasons import DropReason


class Queue:
    def __init__(self, *, full: bool = False) -> None:
        self.full = full
        self.taken: list[bytes] = []

    def offer(self, instruction: bytes) -> bool:
        if not self.full:
            self.taken.append(instruction)
        return not self.full


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def intake(
    sink: Queue, clock: Clock, *, fraction: float = 1.0, max_per_second: float = 1e9, uniform: float = 0.5
) -> Intake:
    return Intake(
        "e",
        fraction=fraction,
        max_per_second=max_per_second,
        max_item_bytes=10,
        sink=sink,
        uniform=lambda: uniform,
        clock=clock,
    )


def observation(request: bytes = b"request", response: bytes = b"response") -> scoring_pb2.Observation:
    return scoring_pb2.Observation(endpoint="e", v2_request=request, v2_response=response)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["take", "full", "large request", "large response", "large push", *DropReason]),
        st.floats(0, 1, exclude_max=True),
        st.floats(0, 0.4),
    ),
    max_size=80,
)


@given(steps=STEPS, fraction=st.floats(0, 1), rate=st.floats(0.1, 20))
def test_the_identity_holds_at_every_moment(
    steps: list[tuple[str, float, float]], fraction: float, rate: float
) -> None:
    sink, clock, now = Queue(), Clock(), iter([step[1] for step in steps])
    taken = Intake(
        "e",
        fraction=fraction,
        max_per_second=rate,
        max_item_bytes=10,
        sink=sink,
        uniform=lambda: next(now),
        clock=clock,
    )
    dropped, wanted = Counter[str](), 0
    for offered, (fate, drawn, pause_s) in enumerate(steps, start=1):
        clock.now_s += pause_s
        if not taken.wants():
            pass
        elif isinstance(fate, DropReason):
            wanted += 1
            assert drawn < fraction
            taken.drop(fate)
            dropped[fate] += 1
        else:
            wanted += 1
            sink.full = fate == "full"
            sample = observation(b"x" * (11 if fate == "large request" else 10))
            if fate == "large response":
                sample = observation(response=b"x" * 11)
            if fate == "large push":
                sample = scoring_pb2.Observation(pushed=traffic_pb2.ObserveRequest(endpoint="x" * 11))
            assert taken.take(sample) is (fate == "take")
            if fate != "take":
                dropped["queue_full" if fate == "full" else "oversize"] += 1
        counts = taken.counts
        assert counts.seen == offered == counts.sampled + counts.skipped + sum(counts.dropped.values())
        assert counts.skipped == offered - wanted
        assert counts.sampled == len(sink.taken)
        assert dict(counts.dropped) == dict(dropped)
        assert taken.undecided == 0


@given(rate=st.floats(0.2, 50), pauses_s=st.lists(st.floats(0, 3), min_size=1, max_size=100))
def test_no_span_holds_more_than_the_rate_and_one_burst(rate: float, pauses_s: list[float]) -> None:
    sink, clock = Queue(), Clock()
    taken = intake(sink, clock, max_per_second=rate)
    times_s = []
    for pause_s in pauses_s:
        clock.now_s += pause_s
        if taken.wants():
            times_s.append(clock.now_s)
    for first in range(len(times_s)):
        for last in range(first, len(times_s)):
            span_s = times_s[last] - times_s[first]
            assert last - first + 1 <= max(rate, 1.0) + rate * span_s + 1e-6
    assert times_s[0] == 100.0 + pauses_s[0]


def test_a_slow_rate_saves_up_and_is_kept() -> None:
    clock = Clock()
    taken = intake(Queue(), clock, max_per_second=0.5)
    times_s = []
    for _ in range(20):
        if taken.wants():
            times_s.append(clock.now_s)
        clock.now_s += 1.0
    assert {later - earlier for earlier, later in pairwise(times_s)} == {2.0}


def test_the_fraction_is_kept() -> None:
    uniform = random.Random(3).random  # noqa: S311 - not for secrets
    taken = Intake(
        "e",
        fraction=0.25,
        max_per_second=1e9,
        max_item_bytes=10,
        sink=Queue(),
        uniform=uniform,
        clock=Clock(),
    )
    wanted = sum(taken.wants() for _ in range(10_000))
    assert wanted == pytest.approx(2500, abs=150)
    assert taken.counts.skipped == 10_000 - wanted
    assert taken.undecided == wanted


def test_sampling_may_change_while_running() -> None:
    sink, clock = Queue(), Clock()
    taken = intake(sink, clock, fraction=0.0)
    assert not taken.wants()
    taken.sampling = Sampling(fraction=1.0, max_per_second=1.0, max_item_bytes=3)
    assert taken.wants()
    assert not taken.take(observation())
    assert not taken.wants()
    assert dict(taken.counts.dropped) == {"oversize": 1}


def test_what_is_handed_over_is_the_instruction() -> None:
    sink = Queue()
    taken = intake(sink, Clock())
    assert taken.wants()
    taken.take(observation())
    assert scoring_pb2.Instruction.FromString(sink.taken[0]).observation == observation()


def test_a_snapshot_stays_as_it_was() -> None:
    taken = intake(Queue(), Clock())
    before = taken.counts
    taken.wants()
    taken.drop(DropReason.CANCELLED)
    assert before.seen == 0
    assert dict(before.dropped) == {}
