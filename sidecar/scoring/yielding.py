"""Lets a process that computes give the processor up often, in the middle of a library's work too."""

from __future__ import annotations

import ctypes
import signal
from collections.abc import Iterator
from contextlib import contextmanager

# Some kernels let a process run on to the end of its time slice, milliseconds, though another of a higher
# priority woke up. Well under a model server's own milliseconds. A yield costs half a microsecond, but the
# timer's signal 22 in a virtual machine that was measured.
_EVERY_S = 100e-6


def yield_often() -> None:
    """Starts a timer whose signal yields. In C, so that it does so while numpy or onnxruntime computes."""
    libc = ctypes.CDLL(None)
    libc.signal(signal.SIGALRM, libc.sched_yield)
    signal.setitimer(signal.ITIMER_REAL, _EVERY_S, _EVERY_S)


@contextmanager
def resting() -> Iterator[None]:
    """Stops the timer, if there is one, until the block ends, so that nothing wakes an idle process up."""
    _, every_s = signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, every_s, every_s)
