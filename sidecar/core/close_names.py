"""Finds the known names that an unknown name was probably meant to be."""

from __future__ import annotations

from collections.abc import Iterable

_ALIKE = 0.5


def close_names(name: str, known: Iterable[str], most: int = 1) -> list[str]:
    """Returns up to `most` known names that resemble the name, the closest first."""
    # Only messages about mistakes need it, and each process would hold 0.2 MiB of it.
    import difflib  # noqa: PLC0415

    return difflib.get_close_matches(name, list(known), n=most, cutoff=_ALIKE)
