"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

Label = Annotated[str | None, Parameter(name=["--label", "--labels"])]
Flag = Annotated[bool, Parameter(negative="")]
# Envoy counts in millionths.
Copied = Annotated[float, Parameter(validator=Number(gte=1e-6, lte=1))]


def listed(names: str | None) -> tuple[str, ...]:
    """Splits a comma-separated option; empty where it was not given."""
    return () if names is None else tuple(name.strip() for name in names.split(","))
