"""The names of the measures, for those who name measures and compute none, as the configuration does.

What a measure is stands in `sidecar.estimation.measures.table`. A process that only checks a name need not
load what computes the value. The table there fails at import where its names, their order or their defaults
are not these.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sidecar.core.errors import InvalidError

MEASURE_NAMES: Final[Mapping[str, bool]] = MappingProxyType(
    {
        "adaptivity": True,
        "coverage": True,
        "feature_coverage": True,
        "graded_adaptivity": True,
        "jsd": True,
        "l2d": True,
        "shift": True,
        "column_shift": True,
        "moment_shift": True,
        "hellinger": True,
        "mmd": True,
        "word_jsd": True,
        "word_adaptivity": False,
        "confidence": True,
        "entropy": True,
        "margin": True,
        "energy": True,
        "nuclear_norm": True,
        "mano": True,
        "cot": False,
        "source_accuracy": True,
        "doc": True,
        "atc": True,
        "cbpe": True,
        "bbse": True,
        "agreement": True,
        "ensv": True,
        "aline": True,
        "dawid_skene_flat": False,
        "dawid_skene": False,
    }
)
"""By name, in the order of the table: whether the measure is computed where the configuration names none."""

DEFAULT: Final = tuple(name for name, by_default in MEASURE_NAMES.items() if by_default)


def known_measure(name: str) -> str:
    """Gives the name back.

    Raises:
        InvalidError: there is no measure of that name; the nearest is named.
    """
    if name not in MEASURE_NAMES:
        nearest = difflib.get_close_matches(name, MEASURE_NAMES, n=1, cutoff=0.5)
        mend = f"did you mean {nearest[0]!r}?" if nearest else f"known: {', '.join(MEASURE_NAMES)}"
        raise InvalidError(f"{name!r} is no measure; {mend}")
    return name
