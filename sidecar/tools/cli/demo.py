"""`pilotfish demo`: what Pilotfish does, on real handwritten digits, in a minute."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pilotfish.v1 import ranking_pb2
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sidecar.core.errors import InvalidError
from sidecar.telemetry.logs import configure_logs
from sidecar.tools.cli.options import Flag
from sidecar.tools.cli.ranking_table import ranking_table

if TYPE_CHECKING:
    from sidecar.tools.demo.run import Demo, Phase


def demo(*, hold: Flag = False, format: Literal["table", "json"] = "table", seed: int = 0) -> None:  # noqa: A002 - the option's name
    """Serves six digit models, sends traffic that drifts twice, and compares the rankings with the truth.

    Args:
        hold: Keep serving at the end, and print commands to try.
        format: table shows the live ranking; json prints one object at the end.
        seed: Random seed of the data, the models and the traffic.
    """
    try:
        from sidecar.tools.demo import run  # noqa: PLC0415 - its libraries are an extra
        from sidecar.tools.demo.build import build  # noqa: PLC0415 - the same
    except ModuleNotFoundError as error:
        raise InvalidError(
            f"the demo needs {error.name}, which is not installed: run `pip install 'pilotfish[demo]'`"
        ) from error
    configure_logs("warning", "console")
    console = Console(stderr=format == "json")
    with tempfile.TemporaryDirectory(prefix="pilotfish-demo-") as folder:
        path = build(Path(folder), seed, lambda name: console.print(f"training and profiling digits-{name}"))
        with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:

            def drawn(phase: str, ranking: ranking_pb2.Ranking) -> Group:
                return Group(Text(f"traffic now: {phase} digits", style="bold"), ranking_table(ranking), "")

            def show(phase: str, ranking: ranking_pb2.Ranking) -> None:
                if console.is_terminal:
                    live.update(drawn(phase, ranking), refresh=True)

            def ended(phase: str, ranking: ranking_pb2.Ranking) -> None:
                live.update("")
                console.print(drawn(phase, ranking))

            def at_end(running: Demo, phases: list[Phase]) -> None:
                live.stop()
                _print(console, format, running, phases)
                _print_hints(console, running)

            with contextlib.suppress(KeyboardInterrupt):
                outcome = asyncio.run(run.run(path, seed, show, ended, at_end if hold else None))
                live.stop()
                _print(console, format, *outcome)


def _print(console: Console, format: str, running: Demo, phases: list[Phase]) -> None:  # noqa: A002 - as the option
    from sidecar.tools.demo.run import as_json  # noqa: PLC0415 - its libraries are an extra

    if format == "json":
        print(json.dumps(as_json(running, phases)), flush=True)  # noqa: T201 - the output
        return
    table = Table(
        title="what the rankings were worth (the labels are known to the demo alone)", title_justify="left"
    )
    for name in ("phase", "top pick", "truly best", "regret", "Spearman", "state"):
        table.add_column(name)
    for phase in phases:
        correlation = "-" if phase.spearman is None else f"{phase.spearman:.2f}"
        table.add_row(phase.name, phase.top, phase.best, f"{phase.regret:.3f}", correlation, phase.state)
    console.print(table)
    others = Table(
        title=f"what comes first on {phases[0].name} digits when something else counts", title_justify="left"
    )
    for name in ("what counts", "first", "accuracy", "latency", "last, as it breaks the bound"):
        others.add_column(name)
    for one in running.preferred:
        latency = f"{one.latency_s * 1e6:.0f} us"
        others.add_row(one.counts, one.first, f"{one.accuracy:.3f}", latency, ", ".join(one.broken) or "-")
    console.print(others)
    counts = running.accounting()
    console.print(
        f"requests: {counts['seen']} seen = {counts['sampled']} sampled + {counts['skipped']} skipped "
        f"+ {counts['dropped']} dropped"
    )


def _print_hints(console: Console, running: Demo) -> None:
    grpc, http = running.sidecar.grpc_port, running.sidecar.http.port
    console.print("\nstill serving, and traffic goes on; Ctrl-C ends it. Try:", markup=False)
    console.print(f"  curl -s localhost:{http}/metrics | grep pilotfish_candidate", markup=False)
    request = """'{"endpoint": "digits"}'"""
    for method in ("GetRanking", "WatchRanking"):
        console.print(
            f"  grpcurl -plaintext -d {request} localhost:{grpc} pilotfish.v1.RankingService/{method}",
            markup=False,
            soft_wrap=True,
        )
