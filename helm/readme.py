"""Writes the table of values in the chart's README from the comments in values.yaml; --check tells drift."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

CHART: Final = Path(__file__).parent / "pilotfish"
BEGIN: Final = "<!-- values: written by python -m helm.readme -->"
END: Final = "<!-- end of values -->"


def table(text: str) -> str:
    """The values of a values.yaml as a Markdown table, in its order.

    Raises:
        ValueError: a key has no comment above it; says which.
    """
    rows = ["| value | default | |", "|---|---|---|"]
    rows += [f"| `{key}` | {default} | {words} |" for key, default, words in _rows(text)]
    return "\n".join(rows)


def written(readme: str, values: str) -> str:
    """The README with the table as it should be.

    Raises:
        ValueError: it does not have the two marks once each, or a value has no comment.
    """
    if readme.count(BEGIN) != 1 or readme.count(END) != 1:
        raise ValueError(f"the README needs the lines {BEGIN} and {END}, once each")
    before, rest = readme.split(BEGIN)
    return f"{before}{BEGIN}\n{table(values)}\n{END}{rest.split(END)[1]}"


def _rows(text: str) -> Iterator[tuple[str, str, str]]:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise ValueError("values.yaml is no mapping")  # noqa: TRY004 - what stands in a file
    yield from _below(root, "", text.splitlines(), yaml.safe_load(text))


def _below(
    node: yaml.MappingNode, place: str, lines: list[str], content: dict[str, object]
) -> Iterator[tuple[str, str, str]]:
    for key, value in node.value:
        path, inner = f"{place}{key.value}", content[key.value]
        words = _comment(lines, key.start_mark.line)
        if not words:
            raise ValueError(f"{path} has no comment above it: say what it is")
        parts = isinstance(value, yaml.MappingNode) and any(
            _comment(lines, one.start_mark.line) for one, _ in value.value
        )
        yield path, "" if parts else f"`{json.dumps(inner)}`", words
        if parts:
            assert isinstance(value, yaml.MappingNode) and isinstance(inner, dict)  # noqa: S101, PT018 - for mypy
            yield from _below(value, f"{path}.", lines, inner)


def _comment(lines: list[str], line: int) -> str:
    """The comment directly above a line, with what would end a cell of the table escaped."""
    words: list[str] = []
    while line > 0 and (above := lines[line - 1].strip()).startswith("#"):
        words.insert(0, above.removeprefix("#").strip())
        line -= 1
    return " ".join(words).replace("|", "\\|")


def main() -> None:
    """Rewrites the README, or fails where it differs."""
    path = CHART / "README.md"
    committed = path.read_text()
    fresh = written(committed, (CHART / "values.yaml").read_text())
    if "--check" not in sys.argv:
        path.write_text(fresh)
    elif fresh != committed:
        raise SystemExit(f"{path} differs from values.yaml; run `make helm`")


if __name__ == "__main__":
    main()
