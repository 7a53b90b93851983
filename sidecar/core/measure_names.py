"""The names of the measures, for code that names measures without computing them, such as the configuration.

The measures themselves stand in `sidecar.estimation.measures.table`, which a process that only checks names
need not load. That table fails at import if its names, their order or their defaults differ from the names
here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sidecar.core.close_names import close_names
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
"""By name, in the order of the table: whether a configuration without measures computes it."""

DEFAULT: Final = tuple(name for name, by_default in MEASURE_NAMES.items() if by_default)


def known_measure(name: str) -> str:
    """Returns the name if there is such a measure.

    Raises:
        InvalidError: there is no measure of that name; the message names the nearest one.
    """
    if name not in MEASURE_NAMES:
        nearest = close_names(name, MEASURE_NAMES)
        mend = f"did you mean {nearest[0]!r}?" if nearest else f"use one of {', '.join(MEASURE_NAMES)}"
        raise InvalidError(f"there is no measure {name!r}: {mend}")
    return name
