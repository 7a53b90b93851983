"""Writes the reference pages from what the program itself uses, at the start of every build.

A page here is never edited: `docs/reference/generated/` is not in the repository. Each module of this
package writes one page and has one function `page`, which returns Markdown.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from docs.generate import command_line, configuration, measures, metrics, protos, reasons, states

FOLDER: Final = Path(__file__).parents[1] / "reference" / "generated"
PAGES: Final = {
    "command-line.md": command_line.page,
    "configuration.md": configuration.page,
    "grpc.md": protos.page,
    "measures.md": measures.page,
    "metrics.md": metrics.page,
    "reasons.md": reasons.page,
    "states.md": states.page,
}


def write(folder: Path) -> None:
    """Writes every page that differs from what stands in the folder; removes pages that no module writes."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.md"):
        if old.name not in PAGES:
            old.unlink()
    for name, page in PAGES.items():
        path, text = folder / name, page()
        # An unchanged file keeps its time, so that Sphinx does not read it again.
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def setup(app: Any) -> dict[str, bool]:  # noqa: ANN401 - Sphinx's application, for which this module needs no Sphinx
    """Makes Sphinx write the pages before it looks for pages."""
    app.connect("builder-inited", lambda _: write(FOLDER))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
