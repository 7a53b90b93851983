"""The tables of reasons hold every reason that is counted, and the runbook advises on each."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from sidecar.wire.reasons import DropReason, Reason, RejectReason

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("reason", [*DropReason, *RejectReason])
def test_a_reason_is_its_label_and_says_what_happened_and_what_to_do(reason: Reason) -> None:
    assert reason == reason.value
    assert re.fullmatch("[a-z_]+", reason)
    for text in (reason.meaning, reason.advice):
        assert text[0].isupper()
        assert text.endswith(".")


def test_scoring_rejects_for_no_reason_that_the_table_lacks() -> None:
    given = {
        call.args[0].value
        for path in (ROOT / "sidecar" / "scoring").rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "reject"
        if isinstance(call.args[0], ast.Constant)
    }
    assert given <= set(RejectReason)


@pytest.mark.parametrize(
    ("alert", "reasons"), [("RequestsDropped", DropReason), ("RequestsRejected", RejectReason)]
)
def test_the_runbook_advises_on_every_reason(alert: str, reasons: type[Reason]) -> None:
    section = (ROOT / "helm" / "RUNBOOK.md").read_text().partition(f"## Pilotfish{alert}\n")[2]
    advice = section.partition("\n## ")[0].partition("**Do.**")[2]
    assert set(re.findall(r"`(\w+)`", advice)) >= set(reasons)
