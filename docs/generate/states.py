"""The page of states, from the enumeration in the proto file; a state without advice fails the build."""

from __future__ import annotations

from typing import Final

from docs.generate.descriptors import comment, files
from docs.generate.markdown import code, sentence, table

_HEAD = """# States

A ranking has a state, and so has each candidate in it. Each comes with a reason in words, which says what
is known and what to do. Act on a ranking that is `OK`; with any other state keep what serves now.

"""

_ACT: Final = {
    "OK": "Follow the recommended candidate. Candidates that share rank 1 are equally good.",
    "TIED": "Keep what serves now, or choose by cost. More traffic may tell the candidates apart.",
    "NEAR_CHANCE": "Do not serve a candidate in this state. If the ranking is in it, no candidate fits: "
    "label some requests, or add a candidate trained on such traffic.",
    "INSUFFICIENT_DATA": "Wait for more items; the reason says how many are needed. A single candidate, or "
    "a cost that nobody knows, needs a change of the configuration.",
    "OUT_OF_SUPPORT": "Look at the shifted features in `ExplainCandidate`. One feature suggests a fault in "
    "its computation, many suggest new traffic.",
    "UNAVAILABLE": "Read the reason: a file is missing, a server does not answer, a profile belongs to "
    "another model. The other candidates are ranked meanwhile.",
    "STALE": "Check that traffic arrives and that the scoring process runs. The reason says which of the two "
    "stopped.",
    "BREAKS_CONSTRAINT": "Serve another candidate, or relax the bound.",
}


def page() -> str:
    """The whole page."""
    file = next(file for file in files() if file.name.endswith("/ranking.proto"))
    place, states = next((place, enum) for place, enum in enumerate(file.enum_type) if enum.name == "State")
    rows = (
        (code(name), sentence(comment(file, (5, place, 2, number))), _ACT[name])
        for number, name in enumerate(value.name.removeprefix("STATE_") for value in states.value)
        if number
    )
    return _HEAD + table(("state", "meaning", "what to do"), rows)
