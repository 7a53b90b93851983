"""Every relative link in a Markdown file of the repository leads to a file and a heading that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.snippets import PAGES, ROOT

_FILES = [*PAGES, ROOT / "helm/RUNBOOK.md", ROOT / "helm/pilotfish/README.md", ROOT / "benchmarks/README.md"]
_LINK = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:)(?P<path>[^)#\s]*)(?:#(?P<anchor>[^)\s]+))?\)")
_FENCED = re.compile(r"(?ms)^ *```.*?^ *```$|^ {4}.*?$|`[^`\n]*`")


def _faults(path: Path) -> list[str]:
    found = []
    for link in _LINK.finditer(_FENCED.sub("", path.read_text())):
        target = (path.parent / link["path"]).resolve() if link["path"] else path
        if "generated" in target.parts:
            continue  # written by the build, which checks links to it
        if not target.exists():
            found.append(f"{link[0]}: there is no {target}")
        elif link["anchor"] and link["anchor"] not in _anchors(target):
            found.append(f"{link[0]}: {target} has no such heading")
    return found


def _anchors(path: Path) -> set[str]:
    """Headings as GitHub makes anchors of them."""
    heads = re.findall(r"(?m)^#+ +(.+?)\s*$", re.sub(r"(?ms)^```.*?^```$", "", path.read_text()))
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("path", _FILES, ids=[str(path.relative_to(ROOT)) for path in _FILES])
def test_relative_links(path: Path) -> None:
    assert _faults(path) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Head\n\n[a](#head) [b](#tail) [c](other.md) `[d](no.md)`\n")
    assert [fault.partition(":")[0] for fault in _faults(page)] == ["[b](#tail)", "[c](other.md)"]


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
