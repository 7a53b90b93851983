"""Splits a model's BYTES inputs into the words that measures of text count."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from sidecar.core.tensors import Array, TensorSpec

# A word has at least two letters or digits; a run longer than `_LONGEST` is encoded data, not a word.
_WORD: Final = re.compile(r"\w\w+")
_LONGEST: Final = 40

# English words that do not tell what a text is about.
_STOP: Final = (
    "about above after again against all also am an and any are as at be because been before being below "
    "between both but by can cannot could did do does doing don down during each few for from further get "
    "had has have having he her here hers herself him himself his how if in into is it its itself just ll "
    "me more most my myself no nor not now of off on once one only or other our ours ourselves out over own "
    "re same she should so some such than that the their theirs them themselves then there these they this "
    "those through to too under until up upon us ve very was we were what when where which while who whom "
    "why will with would you your yours yourself yourselves"
)
STOP_WORDS: Final = frozenset(_STOP.split())


def row_words(inputs: Mapping[str, Array], specs: Sequence[TensorSpec]) -> Array:
    """Returns the words of each item's BYTES inputs in lower case, without stop words.

    Args:
        inputs: arrays by name, each [items, ...]; a BYTES array holds `bytes` or `str`.
        specs: the BYTES inputs to take.

    Returns:
        a list of `str` for each item, object array [items]; [0] if there is no BYTES input.
    """
    texts = [inputs[spec.name] for spec in specs]
    found = np.empty(len(texts[0]) if texts else 0, dtype=np.object_)
    for item in range(len(found)):
        joined = "\n".join(_text(value) for array in texts for value in array[item : item + 1].ravel())
        words = _WORD.findall(joined.lower())
        found[item] = [word for word in words if word not in STOP_WORDS and len(word) <= _LONGEST]
    return found


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else bytes(value).decode(errors="replace")
