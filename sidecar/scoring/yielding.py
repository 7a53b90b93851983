"""Makes a process yield the processor often, even while a library computes."""

from __future__ import annotations

import ctypes
import signal
from collections.abc import Iterator
from contextlib import contextmanager

# Some kernels let a process run to the end of its time slice, for milliseconds, although a process of higher
# priority woke up. The period is well below the milliseconds that a model server takes for a call. A yield
# costs half a microsecond; the timer's signal cost 22 microseconds in a virtual machine.
_EVERY_S = 100e-6


def yield_often() -> None:
    """Starts a timer whose signal yields; its handler is in C, so it also runs during calls into C."""
    libc = ctypes.CDLL(None)
    libc.signal(signal.SIGALRM, libc.sched_yield)
    signal.setitimer(signal.ITIMER_REAL, _EVERY_S, _EVERY_S)


@contextmanager
def resting() -> Iterator[None]:
    """Stops the timer, if it runs, until the block ends, so that the timer does not wake an idle process."""
    _, every_s = signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, every_s, every_s)
