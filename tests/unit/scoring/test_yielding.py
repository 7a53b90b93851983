"""The timer that yields: in a process of its own, as it replaces a signal's handler."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
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


def test_work_and_blocking_reads_go_on_while_the_timer_yields() -> None:
    ended = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "done\n"), ended.stderr
