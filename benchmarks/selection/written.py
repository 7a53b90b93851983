"""Handwritten digits as several scanners see them: what there is without any data from outside."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.selection.corpus import Corpus, Part, domain
from sidecar.tools.demo import digits


def load(_: Path, seed: int) -> Corpus:
    """Scikit-learn's digits, one domain for each of the demo's."""
    data = digits.load(seed)
    domains = []
    for number, name in enumerate(digits.DOMAINS):
        rng = np.random.default_rng([seed, number])
        train, validation, live = (
            Part.of(*digits.seen_in(name, part, rng)) for part in (data.train, data.validation, data.live)
        )
        domains.append(domain(name, train, validation, live, rng))
    width = domains[0].train.items.shape[1]
    return Corpus(tuple(f"pixel{number}" for number in range(width)), tuple(domains))
