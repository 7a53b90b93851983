"""The command line. Exit codes: 0 done, 1 a finding, 2 wrong use, 3 an outside thing failed."""

from __future__ import annotations

import sys
from importlib import metadata

import cyclopts
from rich.console import Console

from sidecar.cli.check import check
from sidecar.cli.demo import demo
from sidecar.cli.envoy import envoy
from sidecar.cli.frontier import frontier
from sidecar.cli.inject import inject, uninject
from sidecar.cli.measures import measures
from sidecar.cli.perf import app as perf
from sidecar.cli.profile import app as profile
from sidecar.cli.rank import rank
from sidecar.cli.serve import serve
from sidecar.cli.webhook import webhook
from sidecar.domain.errors import InvalidError, PilotfishError

app = cyclopts.App(
    name="pilotfish",
    help="Ranks candidate models on live, unlabeled traffic.",
    version=metadata.version("pilotfish"),
    result_action="return_int_as_exit_code_else_zero",
)
app.command(serve)
app.command(check)
app.command(rank)
app.command(demo)
app.command(measures)
app.command(profile)
app.command(perf)
app.command(frontier)
app.command(envoy)
app.command(inject)
app.command(uninject)
app.command(webhook)


def main() -> None:
    """Runs a command and maps what it raises to an exit code."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        sys.exit(app())
    except InvalidError as error:
        console.print(str(error), markup=False)
        sys.exit(2)
    except (PilotfishError, OSError) as error:
        console.print(str(error), markup=False)
        sys.exit(3)
