"""The page of states, from the enumeration in the proto file."""

from __future__ import annotations

from docs.generate.descriptors import comment, files
from docs.generate.markdown import code, sentence, table

_HEAD = """# States

A ranking has a state, and so has each candidate in it. Each comes with a reason in words, which says what
is known and what to do. Act on a ranking that is `OK`; with any other state keep what serves now.

"""


def page() -> str:
    """The whole page."""
    file = next(file for file in files() if file.name.endswith("/ranking.proto"))
    place, states = next((place, enum) for place, enum in enumerate(file.enum_type) if enum.name == "State")
    rows = (
        (code(value.name.removeprefix("STATE_")), sentence(comment(file, (5, place, 2, number))))
        for number, value in enumerate(states.value)
        if value.number
    )
    return _HEAD + table(("state", "meaning"), rows)
