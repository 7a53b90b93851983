"""Applies a diff of the documentation to a copy of the tree and looks at what the copy then prints."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.docs.snippets import ROOT, Snippet

# Beside a file that is new.
_MOST_CHANGED: Final = 2
# What each word of `proves=` runs, in the copy.
_PROGRAMS: Final = {
    "measures": "from sidecar.tools.cli.measures import measures; measures()",
    "check --schema": "from sidecar.tools.cli.check import check; check(schema=True)",
    "metrics": """
from prometheus_client import CollectorRegistry, generate_latest
from sidecar.serving.capture.core.intake import Accounting
from sidecar.serving.telemetry.metrics import Metrics, Reading
reading = Reading({"digits": Accounting(0, 0, 0, {})}, {}, {}, {}, {}, True, 0, 0, 0, 0, 0, False)
registry = CollectorRegistry()
registry.register(Metrics(lambda: reading))
print(generate_latest(registry).decode())
""",
}


def check_diff(snippet: Snippet, folder: Path) -> None:
    """Fails where the diff does not apply, changes too many files, or does not do what it says."""
    changed = [line for line in snippet.text.splitlines() if re.match(r"--- a/", line)]
    assert len(changed) <= _MOST_CHANGED, f"{snippet.where}: {changed}"
    copy = folder / f"tree-{snippet.line}"
    shutil.copytree(ROOT / "sidecar", copy / "sidecar", ignore=shutil.ignore_patterns("__pycache__"))
    # Line numbers move; a line of context on each side says where.
    _succeed(["git", "apply", "--recount", "-C1"], copy, snippet, given=snippet.text)
    program, _, wanted = (snippet.said("proves") or "").partition(": ")
    printed = _succeed([sys.executable, "-c", _PROGRAMS[program]], copy, snippet)
    assert wanted in printed, f"{snippet.where}: {program} does not print {wanted!r} after it"


def _succeed(command: list[str], folder: Path, snippet: Snippet, given: str = "") -> str:
    done = subprocess.run(command, cwd=folder, input=given, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, f"{snippet.where}: {' '.join(command)[:80]}\n{done.stderr}"
    return done.stdout
