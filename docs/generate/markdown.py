"""Markdown as the generated pages need it."""

from __future__ import annotations

import re
from collections.abc import Iterable


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; a `|` inside a cell does not end it."""
    heads = list(heads)
    lines = [_row(heads), _row("---" for _ in heads), *(_row(map(_cell, row)) for row in rows)]
    return "\n".join(lines) + "\n"


def code(text: str) -> str:
    """Text in a fixed-width font; nothing for nothing."""
    return f"`{text}`" if text else ""


def sentence(text: str) -> str:
    """The text with a capital at its beginning, unless that is code, and a full stop at its end."""
    text = text.strip()
    if not text:
        return ""
    return f"{text[0].upper()}{text[1:]}{'' if text.endswith(('.', '?', '!', ':')) else '.'}"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    pieces = re.split(r"(`[^`]*`)", " ".join(text.split()).replace("|", r"\|"))
    # Outside of code, angle brackets would be taken for HTML and a star for emphasis.
    return "".join(
        piece if piece.startswith("`") else piece.replace("<", r"\<").replace("*", r"\*") for piece in pieces
    )
