"""The page of commands, from the command line's own parser."""

from __future__ import annotations

import re

from sidecar.tools.cli import app

_HEAD = """# Command line

`pilotfish COMMAND --help` prints the same. Every command ends with one of these exit codes:

| exit code | meaning |
|---|---|
| 0 | The command did what it was asked to do. |
| 1 | The command found something: a fault in the configuration, a configuration that does not run. |
| 2 | The command was used wrongly, or a file is faulty. The message says what to change. |
| 3 | Something outside failed: a server did not answer, a file could not be written. Trying again may help. |

"""


def page() -> str:
    """The whole page: a heading for each command."""
    text = app.generate_docs(output_format="markdown")
    # The commands only; the site has its own title and table of contents.
    commands = text[text.index("\n## pilotfish ") :]
    return _HEAD + re.sub(r"(?m)^```console$", "```text", commands).strip() + "\n"
