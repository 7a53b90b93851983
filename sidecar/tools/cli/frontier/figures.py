"""How findings are written for people."""

from __future__ import annotations

from typing import Final

from sidecar.tools.cli.frontier.findings import Mixture

# From here on every digit before the point is written; beyond, there are too many of them.
_WHOLE: Final = 1_000.0
_LONG: Final = 10_000_000.0


def in_digits(value: float) -> str:
    """A number with four digits, or with all before the point where those are more."""
    return f"{value:,.0f}" if _WHOLE <= abs(value) < _LONG else f"{value:.4g}"


def in_shares(mixture: Mixture) -> str:
    """A mixture like "60 % A + 40 % B"."""
    if len(mixture.shares) == 1:
        return next(iter(mixture.shares))
    return " + ".join(f"{100 * share:.3g} % {name}" for name, share in mixture.shares.items())
