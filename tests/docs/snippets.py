"""Finds the snippets of a Markdown page and what the page says about running them.

A comment before a fence says what the reader does not need to see:

    <!-- snippet: file=pilotfish.yaml -->          the snippet is the content of this file
    <!-- snippet: not-run=it needs a cluster -->   it is checked as far as that goes; the reason is required
    <!-- snippet: background=9500 -->              a server that runs on, ready when gRPC answers at the port
    <!-- snippet: until=OK -->                     a command that is repeated until it prints this
    <!-- snippet: values -->                       YAML of something else than Pilotfish's configuration:
                                                   values of the chart, a manifest, a space
    <!-- snippet: v2-server=repository -->         a V2 server for the models of this folder starts after it
    <!-- snippet: proves=measures: gini -->        a diff, what to run after it, and what that must print

A comment at the top says where the page's snippets run:

    <!-- page: workspace -->                       in a folder with models, profiles and data
    <!-- page: example=sklearn-pipeline -->        in a copy of the example's folder
    <!-- page: ...; needs=torch -->                only where this module is installed
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = tuple(
    path
    for path in sorted(
        [
            *ROOT.glob("*.md"),
            *(ROOT / "docs").rglob("*.md"),
            *(ROOT / "examples").rglob("*.md"),
        ]
    )
    if not {"generated", "_build"} & set(path.parts)
)
_COMMENT: Final = re.compile(r"^<!-- (?P<about>page|snippet): (?P<words>.*?) -->$")
_FENCE: Final = re.compile(r"^(?P<indent> *)```(?P<language>[^`]*)$")
_NEXT_WORD: Final = re.compile(
    r"; (?=(?:background|file|manifest|not-run|needs|proves|space|until|v2-server|values)\b)"
)
# Languages of MyST's own directives, which Sphinx runs.
_DIRECTIVE: Final = "{"


@dataclass(frozen=True, slots=True)
class Snippet:
    """One fenced block; `line` is that of its fence, `words` what the comment before it says."""

    page: str
    line: int
    language: str
    text: str
    words: dict[str, list[str]]

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    def said(self, word: str) -> str | None:
        """The value of a word in the comment; empty where it has none; None where it does not stand there."""
        return self.words[word][-1] if word in self.words else None


@dataclass(frozen=True, slots=True)
class Page:
    path: Path
    words: dict[str, list[str]]
    snippets: tuple[Snippet, ...]

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))


def read_page(path: Path) -> Page:
    return Page(path, *_parsed(path.read_text(), str(path.relative_to(ROOT))))


def _parsed(text: str, name: str) -> tuple[dict[str, list[str]], tuple[Snippet, ...]]:
    about: dict[str, list[str]] = {}
    words: dict[str, list[str]] = {}
    snippets = []
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        comment, fence = _COMMENT.match(line), _FENCE.match(line)
        if comment is not None:
            said = _words(comment["words"])
            if comment["about"] == "page":
                about = said
            else:
                words = said
        elif fence is not None:
            body = "\n".join(_until_the_end(lines, fence["indent"]))
            if not fence["language"].startswith(_DIRECTIVE):
                snippets.append(Snippet(name, number, fence["language"].strip(), body + "\n", words))
            words = {}
    return about, tuple(snippets)


def _until_the_end(lines: Iterator[tuple[int, str]], indent: str) -> Iterator[str]:
    for _, line in lines:
        if line.strip() == "```":
            return
        yield line.removeprefix(indent)


def _words(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for part in _NEXT_WORD.split(text):
        key, _, value = part.partition("=")
        found.setdefault(key.strip(), []).append(value.strip())
    return found
