"""Every snippet in the documentation is run, or checked as far as it can be."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.docs.checking import check_json, check_shell, check_yaml, commands
from tests.docs.diffs import check_diff
from tests.docs.running import Running
from tests.docs.snippets import PAGES, ROOT, Page, Snippet, read_page

_WITH_SNIPPETS = [page for page in map(read_page, PAGES) if page.snippets]


@pytest.mark.parametrize("page", _WITH_SNIPPETS, ids=[page.name for page in _WITH_SNIPPETS])
def test_snippets_of_a_page(page: Page, workspace: Path, tmp_path: Path) -> None:
    for module in page.words.get("needs", []):
        pytest.importorskip(module, reason=f"{page.name} needs {module}, which is no dependency of the tests")
    folder = tmp_path / "page"
    if (example := page.words.get("example")) is not None:
        shutil.copytree(ROOT / "examples" / example[0], folder)
    elif "workspace" in page.words:
        shutil.copytree(workspace, folder)
    else:
        folder.mkdir()
    with Running(folder) as running:
        for snippet in page.snippets:
            _run(snippet, running, tmp_path)


def _run(snippet: Snippet, running: Running, folder: Path) -> None:
    reason = snippet.said("not-run")
    assert reason != "", f"{snippet.where}: say after not-run= why it is not run"
    if snippet.language == "yaml":
        check_yaml(snippet, folder)
    elif snippet.language == "json":
        check_json(snippet)
    elif snippet.language == "diff":
        check_diff(snippet, folder)
    elif snippet.language == "sh":
        check_shell(snippet)
        if reason is None:
            running.shell(snippet)
    elif snippet.language == "python":
        running.python(snippet)
    else:
        assert snippet.language == "text", f"{snippet.where}: no test runs the language {snippet.language!r}"
    if (repository := snippet.said("v2-server")) is not None:
        running.serve_repository(repository)
    if (name := snippet.said("file")) is not None:
        running.write(name, snippet.text)


def test_a_newcomer_gets_a_ranking_in_at_most_ten_commands() -> None:
    shell = [one.text for one in read_page(ROOT / "docs/tutorial.md").snippets if one.language == "sh"]
    typed = [words[:2] for text in shell for words in commands(text)]
    assert typed.index(["pilotfish", "rank"]) + 1 <= 10


def test_a_snippet_that_fails_fails(tmp_path: Path) -> None:
    def snippet(language: str, text: str, **words: list[str]) -> Snippet:
        return Snippet("page.md", 1, language, text, words)

    with Running(tmp_path) as running:
        for wrong in (
            snippet("sh", "false\n"),
            snippet("sh", "pilotfish rank --no-such-option\n", **{"not-run": ["a reason"]}),
            snippet("sh", "make no-such-task\n", **{"not-run": ["a reason"]}),
            snippet("sh", "true\n", **{"not-run": [""]}),
            snippet("yaml", "window: {itemz: 3}\n"),
            snippet("yaml", "no_such_key: 3\n"),
            snippet("yaml", "image: {repozitory: x}\nconfig: {}\n", values=[""]),
            snippet("json", "{"),
            snippet("python", "1 / 0\n"),
            snippet("cobol", "STOP RUN.\n"),
        ):
            with pytest.raises(Exception, match=r"."):
                _run(wrong, running, tmp_path)
