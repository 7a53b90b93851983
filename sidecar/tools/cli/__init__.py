"""The command line. Exit codes: 0 done, 1 a finding, 2 wrong use, 3 an outside thing failed."""

from __future__ import annotations

import sys
from importlib import metadata

import cyclopts

import sidecar.telemetry.plain_tracebacks  # noqa: F401 - before any command imports structlog
from sidecar.core.errors import InvalidError, PilotfishError

app = cyclopts.App(
    name="pilotfish",
    help="Ranks candidate models on live, unlabeled traffic.",
    version=metadata.version("pilotfish"),
    result_action="return_int_as_exit_code_else_zero",
)
# By path: only the command that is run is imported, so that `serve` holds nothing of the others.
app.command("sidecar.serving.serve:serve")
app.command("sidecar.tools.cli.check:check")
app.command("sidecar.tools.cli.ranking:ranking")
app.command("sidecar.tools.cli.rank:rank")
app.command("sidecar.tools.cli.demo:demo")
app.command("sidecar.tools.cli.measures:measures")
app.command("sidecar.tools.cli.profile:app", name="profile")
app.command("sidecar.tools.cli.perf:app", name="perf")
app.command("sidecar.tools.cli.frontier:frontier")
app.command("sidecar.tools.cli.envoy:envoy")
app.command("sidecar.tools.cli.inject:inject")
app.command("sidecar.tools.cli.inject:uninject")
app.command("sidecar.tools.cli.webhook:webhook")


def main() -> None:
    """Runs a command and maps what it raises to an exit code."""
    try:
        sys.exit(app())
    except InvalidError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    except (PilotfishError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(3)
