from __future__ import annotations

import numpy as np

from sidecar.scoring.runners.server_budget import ServerBudgets, size_bytes


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_without_bounds_everything_is_admitted() -> None:
    server = ServerBudgets(Clock()).of("a:1")
    for _ in range(1000):
        assert server.admits()
        server.began(1 << 30)
    assert server.wait_s() == 0.0


def test_batches_under_way_are_bounded_for_each_server() -> None:
    servers = ServerBudgets(Clock())
    servers.in_flight = 2
    one, other = servers.of("a:1"), servers.of("a:2")
    assert servers.of("a:1") is one
    one.began(1)
    assert one.admits()
    one.began(1)
    assert not one.admits()
    assert other.admits()
    one.ended()
    assert one.admits()
    one.began(1)
    # Another bound holds at once.
    servers.in_flight = 3
    assert one.admits()


def test_bytes_are_paid_for_before_the_next_batch() -> None:
    clock = Clock()
    servers = ServerBudgets(clock)
    servers.bytes_per_second = 1000
    server = servers.of("a:1")
    sent = 0
    while clock.now < 110:
        if server.admits():
            server.began(250)
            server.ended()
            sent += 250
        clock.now += 0.01
    assert 9_750 <= sent <= 10_250
    # What was not used is not saved up, and a batch above a second's bytes is paid for afterwards.
    clock.now += 1000
    server.began(5000)
    assert server.wait_s() == 5.0
    clock.now += 5
    assert server.admits()


def test_the_size_is_that_of_the_elements() -> None:
    texts = np.array([b"abc", "de", ""], dtype=np.object_)
    assert size_bytes([np.zeros((2, 3), np.float32), texts]) == 24 + 5
