"""Do two records mean the same thing; a domain is a data set of record pairs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.parquet as pq

from benchmarks.selection.corpus import (
    LIVE_ROWS,
    TRAIN_ROWS,
    VALIDATION_ROWS,
    Corpus,
    Part,
    domain,
    split_rows,
)
from sidecar.core.tensors import Array, Floats

_ATTRIBUTE: Final = re.compile(r"COL\s+(.+?)\s+VAL\b(.*?)(?=\bCOL\s+\S+\s+VAL\b|$)", re.DOTALL)
_WORD: Final = re.compile(r"\w+")
_NUMBER: Final = re.compile(r"\d+")
# No more pairs are compared than are used; part of the training rows may have to validate.
_MOST: Final = (TRAIN_ROWS + VALIDATION_ROWS, VALIDATION_ROWS, LIVE_ROWS)
# Two data sets that share more of the smaller one's pairs than this are one in two forms.
_TWINS: Final = 0.1
COLUMNS: Final = (
    "words.jaccard",
    "words.contained",
    "trigrams.jaccard",
    "numbers.jaccard",
    "numbers.contained",
    "numbers.none",
    "first_word.same",
    "length.ratio",
    "length.log",
    "attributes.mean",
    "attributes.least",
    "attributes.most",
    "attributes.first",
    "attributes.rest",
    "attributes.same",
    "attributes.empty",
)


def load(path: Path, seed: int) -> Corpus:
    """Compares the records of a pair; data sets in two forms are twins."""
    table = pq.read_table(path)
    names = table["dataset"].to_numpy(zero_copy_only=False).astype(str)
    split = table["split"].to_numpy(zero_copy_only=False).astype(str)
    pairs = list(zip(table["left"].to_pylist(), table["right"].to_pylist(), strict=True))
    labels = table["label"].to_numpy()
    domains = np.unique(names).tolist()
    twins = _twins({name: _contents(pairs, np.flatnonzero(names == name)) for name in domains})
    made = []
    for number, name in enumerate(domains):
        rng = np.random.default_rng([seed, number])
        parts = []
        for rows, most in zip(split_rows(split, names == name), _MOST, strict=True):
            drawn = rng.permutation(rows)[:most]
            compared_rows = [compared(*pairs[row]) for row in drawn]
            parts.append(Part.of(np.array(compared_rows).reshape(-1, len(COLUMNS)), labels[drawn]))
        train, validation, live = parts
        made.append(domain(name, train, validation, live, rng, twins=twins[name]))
    return Corpus(COLUMNS, tuple(made))


def compared(left: str, right: str) -> Floats:
    """How alike two serialised records are; returns [len(COLUMNS)]."""
    one, other = (dict(_attributes(record)) for record in (left, right))
    texts = [" ".join(record.values()) for record in (one, other)]
    words, grams, numbers = ([kind(text) for text in texts] for kind in (_words, _trigrams, _numbers))
    shared = [name for name in one if name in other]
    alike = [
        (
            _jaccard(_words(one[name]), _words(other[name]))
            + _jaccard(_trigrams(one[name]), _trigrams(other[name]))
        )
        / 2
        for name in shared
        if one[name].strip() and other[name].strip()
    ] or [0.0]
    firsts = [_WORD.findall(text)[:1] for text in texts]
    lengths = sorted(len(text) + 1 for text in texts)
    return np.array(
        [
            _jaccard(*words),
            _contained(*words),
            _jaccard(*grams),
            _jaccard(*numbers),
            _contained(*numbers),
            not (numbers[0] and numbers[1]),
            firsts[0] == firsts[1],
            lengths[0] / lengths[1],
            np.log(lengths[1]),
            np.mean(alike),
            min(alike),
            max(alike),
            alike[0],
            np.mean(alike[1:] or alike),
            np.mean([float(one[name] == other[name]) for name in shared] or [0.0]),
            1 - len(alike) / max(len(shared), 1),
        ],
        dtype=np.float64,
    )


def _attributes(record: str) -> list[tuple[str, str]]:
    return [(name, value.lower()) for name, value in _ATTRIBUTE.findall(record)] or [("", record.lower())]


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text))


def _numbers(text: str) -> frozenset[str]:
    return frozenset(_NUMBER.findall(text))


def _trigrams(text: str) -> frozenset[str]:
    joined = " ".join(_WORD.findall(text))
    return frozenset(joined[start : start + 3] for start in range(len(joined) - 2))


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(len(one | other), 1)


def _contained(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(min(len(one), len(other)), 1)


def _contents(pairs: Sequence[tuple[str, str]], rows: Array) -> frozenset[tuple[str, ...]]:
    """What the pairs say, whichever attribute it stands in."""
    return frozenset(
        tuple(
            " ".join(sorted(_WORD.findall(" ".join(value for _, value in _attributes(record)))))
            for record in pairs[row]
        )
        for row in rows
    )


def _twins(contents: dict[str, frozenset[tuple[str, ...]]]) -> dict[str, frozenset[str]]:
    return {
        name: frozenset(
            other
            for other, theirs in contents.items()
            if other != name and len(own & theirs) > _TWINS * min(len(own), len(theirs))
        )
        for name, own in contents.items()
    }
