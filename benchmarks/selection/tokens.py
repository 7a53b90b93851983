"""Named entities token by token; a domain is a subject matter."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.parquet as pq

from benchmarks.selection.corpus import Corpus, Part, domain, split_rows
from sidecar.core.tensors import Array

# Tag sets differ between domains: these words, found within a tag, tell which common class it is.
_CLASSES: Final = {
    "person": re.compile(r"per(son)?$|researcher|scientist|writer|politician|artist|actor|author|player"),
    "location": re.compile(r"loc(ation)?$|country|city|gpe|place"),
    "organisation": re.compile(r"org(ani[sz]ation)?$|university|party|band|company|institut|team"),
}


def load(path: Path, seed: int) -> Corpus:
    """Describes each token by itself and its neighbours, in words that a model reads as text."""
    table = pq.read_table(path)
    names = table["domain"].to_numpy(zero_copy_only=False).astype(str)
    split = table["split"].to_numpy(zero_copy_only=False).astype(str)
    tokens, tags = table["tokens"].to_pylist(), table["tags"].to_pylist()

    def part(rows: Array) -> Part:
        items = [text for row in rows for text in described(tokens[row])]
        labels = [common_class(tag) for row in rows for tag in tags[row]]
        return Part.of(np.array(items, dtype=np.object_), np.array(labels))

    domains = []
    for number, name in enumerate(np.unique(names).tolist()):
        train, validation, live = (part(rows) for rows in split_rows(split, names == name))
        domains.append(domain(name, train, validation, live, np.random.default_rng([seed, number])))
    return Corpus(("token",), tuple(domains))


def common_class(tag: str) -> str:
    """The class of a tag such as `B-politician`, among person, location, organisation, other, none."""
    if tag == "O":
        return "none"
    kind = tag.removeprefix("B-").removeprefix("I-").lower()
    return next((name for name, pattern in _CLASSES.items() if pattern.search(kind)), "other")


def described(tokens: Sequence[str]) -> Iterator[str]:
    """Yields for each token of a sentence the words that tell it: itself, form, ending, neighbours."""
    padded = ["", *("".join(token.split()) for token in tokens), ""]
    for before, token, after in zip(padded, padded[1:], padded[2:], strict=False):
        words = {
            "is": token.lower(),
            "form": _form(token),
            "ends": token.lower()[-3:],
            "before": before.lower(),
            "beforeform": _form(before),
            "after": after.lower(),
            "afterform": _form(after),
        }
        yield " ".join(f"{kind}_{word}" for kind, word in words.items())


def _form(token: str) -> str:
    """Its pattern of upper and lower case, digits and others, runs shortened: `McGill` is `XxXx`."""
    letters = (
        "X" if one.isupper() else "x" if one.islower() else "9" if one.isdigit() else "-" for one in token
    )
    return re.sub(r"(.)\1+", r"\1", "".join(letters))
