"""What a file becomes: candidates to be trained, and traffic for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np

from benchmarks.selection.corpus import Corpus, Domain, Part
from benchmarks.selection.families import Family, families, train


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that is to be trained.

    Attributes:
        name: unique in the plan.
        source: what it was trained on, in words.
        train: rows that it is trained on, which its profile is built from.
        validation: its validation rows.
        write: trains it, writes it as ONNX and returns its classes in the order of its output.
    """

    name: str
    source: str
    train: Part
    validation: Part
    write: Callable[[Path], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Traffic:
    """Rows that are served; `candidates` names those that could answer them."""

    name: str
    live: Part
    candidates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """All of one file; `columns` names its features, or the one text column."""

    columns: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    traffic: tuple[Traffic, ...]


# Reads and plans a file, by a seed.
Load: TypeAlias = Callable[[Path, int], Plan]


def transfer(load: Callable[[Path, int], Corpus]) -> Load:
    """Makes what plans the models of every domain, each served to the models of all others."""

    def planned(path: Path, seed: int) -> Plan:
        corpus = load(path, seed)
        made = {domain.name: one_of_each_family(corpus, domain, seed) for domain in corpus.domains}
        traffic = []
        for domain in corpus.domains:
            others = (name for name in made if name != domain.name and name not in domain.twins)
            names = tuple(one.name for name in others for one in made[name])
            traffic.append(Traffic(domain.name, domain.live, names))
        return Plan(corpus.columns, tuple(one for some in made.values() for one in some), tuple(traffic))

    return planned


def one_of_each_family(corpus: Corpus, domain: Domain, seed: int) -> list[Candidate]:
    """One of each family, where there is more than one class to learn."""
    several = len(np.unique(domain.train.labels.astype(str))) > 1
    return [
        Candidate(
            f"{domain.name}.{name}",
            domain.name,
            domain.train,
            domain.validation,
            partial(_write, family, domain.train, corpus.columns, seed),
        )
        for name, family in (families(domain.train).items() if several else ())
    ]


def _write(family: Family, part: Part, columns: tuple[str, ...], seed: int, path: Path) -> tuple[str, ...]:
    return train(family, part, columns, path, seed)
