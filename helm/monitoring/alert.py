"""What an alert is, whoever evaluates it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

# Vectors of one scrape are joined on these: the target's other labels are the same on both sides.
TARGET = "job, instance"
ENDPOINT = f"{TARGET}, endpoint"
CANDIDATE = f"{ENDPOINT}, candidate"


class Severity(StrEnum):
    """How soon somebody should look."""

    CRITICAL = "critical"
    """Pilotfish does not do its work, or its numbers cannot be believed."""
    WARNING = "warning"
    """Look within the day."""
    INFO = "info"
    """Good to know; wakes nobody."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert.

    Attributes:
        name: also the heading of its section in helm/RUNBOOK.md.
        expression: PromQL, one series for each thing that is wrong; its value is the number to tell.
        lasting: how long the expression holds before the alert fires, as Prometheus writes durations.
        severity: how soon somebody should look.
        summary: one line, in Prometheus' template language.
        description: with the numbers, likewise; `$value` is the expression's.
    """

    name: str
    expression: str
    lasting: str
    severity: Severity
    summary: str
    description: str

    @property
    def runbook(self) -> str:
        """Where the runbook tells what to do, relative to this repository."""
        return f"helm/RUNBOOK.md#{self.name.lower()}"
