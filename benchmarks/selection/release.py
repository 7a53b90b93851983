"""Writes what was learned into the module that a release ships."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import sidecar.estimation.accuracy.release as shipped
from sidecar.estimation.accuracy.learned import Learned

_FIGURES: Final = ("coverage", "width", "mae", "regret", "ok", "ok_kept", "kept_ok")


def write(
    learned: Learned,
    *,
    day: date,
    sources: Sequence[str],
    seeds: Sequence[int],
    figures: Mapping[str, Any],
    path: Path = Path(shipped.__file__),
) -> None:
    """Writes the module with the date, the sources and the figures that were reached on sources left out."""
    reached = ", ".join(f"{name} {figures[name]:.3f}" for name in _FIGURES if figures[name] is not None)
    names = _wrapped(", ".join(sorted(sources)))
    text = f'''"""What this release learned; written by `python -m benchmarks.selection --learn`, not by hand.

Date: {day.isoformat()}
Seeds: {", ".join(map(str, seeds))}
Sources ({len(sources)}), each left out when it was judged:
{names}
Reached on the sources left out, means over sources:
{_wrapped(reached)}
"""

from __future__ import annotations

from typing import Final

from sidecar.estimation.accuracy.learned import Learned

RELEASE: Final = Learned(
    level={_tuple(learned.level)},
    spread={learned.spread:.4f},
    level_error={_tuple(learned.level_error)},
    own_error={_tuple(learned.own_error)},
    widening={learned.widening:.4f},
    validated_widening={learned.validated_widening:.4f},
    sure={learned.sure:.2f},
)
'''
    path.write_text(text)


def _tuple(values: Sequence[float]) -> str:
    return f"({', '.join(f'{value:.4f}' for value in values)})"


def _wrapped(text: str, width: int = 104) -> str:
    """The text in indented lines that break at spaces."""
    lines, line = [], " "
    for word in text.split():
        if len(line) + 1 + len(word) > width:
            lines.append(line)
            line = " "
        line += f" {word}"
    return "\n".join([*lines, line])
