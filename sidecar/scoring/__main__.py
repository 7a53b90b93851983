"""The program of the scoring process; `sidecar.serving.link` starts it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time

import sidecar.telemetry.plain_tracebacks  # noqa: F401 - before anything imports structlog
from sidecar.costs.candidate import Costs
from sidecar.inference.threads import threads_within
from sidecar.scoring.cpu_budget import CpuBudget
from sidecar.scoring.giving_back import give_back_large_blocks_at_once
from sidecar.scoring.runners.opening import OpenModels
from sidecar.scoring.worker import Worker
from sidecar.scoring.yielding import resting, yield_often
from sidecar.telemetry.logs import configure_logs

_NICE = 10


def give_way(priority: str) -> None:
    """Lowers the process's priority; with `idle` it runs only when no other process wants the processor."""
    os.nice(_NICE)
    if priority == "idle":
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    yield_often()


def main() -> None:
    """Works on the pipes of the serving process until that process is gone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cpu-share", type=float, required=True)
    parser.add_argument("--priority", choices=("idle", "low"), required=True)
    parser.add_argument("--log-level", required=True)
    parser.add_argument("--log-format", required=True)
    options = parser.parse_args()
    # The terminal's Ctrl-C reaches this process too; only the serving process decides when to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    give_way(options.priority)
    give_back_large_blocks_at_once()
    configure_logs(options.log_level, options.log_format)
    # Reports have a descriptor of their own, so that nothing a library prints gets between them.
    reports = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    budget = CpuBudget(options.cpu_share, clock=time.monotonic, cpu_clock=time.process_time)
    threads = threads_within(options.cpu_share)
    worker = Worker(
        sys.stdin.fileno(),
        reports,
        open_model=OpenModels(threads),
        costs=Costs(shadow_threads=threads),
        budget=budget,
        clock=time.monotonic,
        sleep=time.sleep,
        resting=resting,
    )
    worker.run()


if __name__ == "__main__":
    main()
