"""The timer that yields: in a process of its own, as it replaces a signal's handler."""

from __future__ import annotations

import subprocess
import sys

# `signal` of Python does not show a handler that is a C function, so the program asks the C library. The
# address of the handler is the first field of `struct sigaction` on Linux.
HANDLER = """
import ctypes, signal
libc = ctypes.CDLL(None)

def handles(name):
    found = ctypes.create_string_buffer(1024)
    assert libc.sigaction(signal.SIGALRM, None, found) == 0
    address = ctypes.cast(getattr(libc, name), ctypes.c_void_p).value
    return ctypes.c_void_p.from_buffer(found).value == address
"""

YIELDS = f"""
{HANDLER}
from sidecar.scoring.yielding import yield_often

assert not handles("sched_yield")
yield_often()
assert handles("sched_yield")
every_s = signal.getitimer(signal.ITIMER_REAL)[1]
assert 0 < every_s <= 1e-3, every_s
# The test sees it if the timer's signal does anything else.
libc.signal(signal.SIGALRM, libc.getpid)
assert not handles("sched_yield")
print("done")
"""

GOES_ON = """
import os, signal, threading
import numpy as np
from sidecar.scoring.yielding import resting, yield_often

with resting():
    pass
assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)

yield_often()
assert signal.getitimer(signal.ITIMER_REAL)[1] > 0
with resting():
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
assert signal.getitimer(signal.ITIMER_REAL)[1] > 0

# A read that blocks is not cut short by the signal.
read_from, write_to = os.pipe()
threading.Timer(0.05, os.write, (write_to, b"x")).start()
assert os.read(read_from, 1) == b"x"

# One call into a library, long enough for many signals, gives its result.
values = np.arange(2_000_000)[::-1].copy()
assert (np.sort(values) == np.arange(2_000_000)).all()
print("done")
"""


def run(program: str) -> None:
    ended = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "done\n"), ended.stderr


def test_the_timers_signal_yields_the_processor() -> None:
    run(YIELDS)


def test_work_and_blocking_reads_go_on_while_the_timer_yields() -> None:
    run(GOES_ON)
