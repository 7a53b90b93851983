"""Reviews with a sentiment; a domain is a kind of product."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks.selection.corpus import Corpus, Part, domain, split_rows


def load(path: Path, seed: int) -> Corpus:
    """Lower-cases the texts; the domains' own test split is what is served."""
    table = pq.read_table(path)
    names = table["domain"].to_numpy(zero_copy_only=False).astype(str)
    split = table["split"].to_numpy(zero_copy_only=False).astype(str)
    texts = np.array([text.lower() for text in table["text"].to_pylist()], dtype=np.object_)
    whole = Part.of(texts, table["label"].to_numpy())
    domains = []
    for number, name in enumerate(np.unique(names).tolist()):
        train, validation, live = (whole.take(rows) for rows in split_rows(split, names == name))
        domains.append(domain(name, train, validation, live, np.random.default_rng([seed, number])))
    return Corpus(("text",), tuple(domains))
