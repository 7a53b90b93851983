"""Exercises from sensors on several body positions: the negative control.

A domain is a position. The same quantities are measured everywhere, so a model of one position can be
asked about another, where its answers are at chance.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.parquet as pq

from benchmarks.selection.corpus import Corpus, Part, domain
from sidecar.core.errors import InvalidError

_LABEL: Final = "classe"
_PERSON: Final = "user_name"


def load(path: Path, seed: int) -> Corpus:
    """Takes each position's columns under names without the position."""
    table = pq.read_table(path)
    names = [name for name in table.column_names if name not in {_LABEL, _PERSON}]
    columns = positions(names)
    if not columns:
        raise InvalidError(f"{path}: no columns named QUANTITY_POSITION_AXIS for two positions or more")
    quantities = tuple(sorted(next(iter(columns.values()))))
    labels = table[_LABEL].to_numpy(zero_copy_only=False)
    domains = []
    for number, (position, by_quantity) in enumerate(columns.items()):
        rows = np.stack([table[by_quantity[quantity]].to_numpy() for quantity in quantities], axis=1)
        part = Part.of(rows, labels)
        domains.append(domain(position, part, part.none, part, np.random.default_rng([seed, number])))
    return Corpus(quantities, tuple(domains))


def positions(names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Finds the words that tell positions apart.

    Those are the words of the column names that leave the same names behind when they are taken out,
    and of several such groups the one that stands in most columns.

    Returns:
        by position, the column of each quantity.
    """
    by_word: dict[str, dict[str, str]] = defaultdict(dict)
    for name in names:
        words = name.split("_")
        for place, word in enumerate(words):
            by_word[word]["_".join(words[:place] + words[place + 1 :])] = name
    groups: dict[frozenset[str], list[str]] = defaultdict(list)
    for word, columns in by_word.items():
        groups[frozenset(columns)].append(word)
    several = {left: words for left, words in groups.items() if len(words) > 1}
    if not several:
        return {}
    best = max(several, key=lambda left: len(left) * len(several[left]))
    return {word: by_word[word] for word in several[best]}
