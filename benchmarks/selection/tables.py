"""Tables with natural domains: hospitals, stations, periods, speakers, projects, airlines, ...

A table has the columns `domain` and `label`; all others are features, numbers or texts. A single column
`text` holds whole texts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.selection.corpus import Corpus, Part, domain
from sidecar.core.tensors import Array

_DOMAIN: Final = "domain"
_LABEL: Final = "label"
_TEXT: Final = "text"
# Every domain trains its own models; a file with more domains gives as many, drawn by the seed.
_DOMAINS: Final = 6
# Fewer rows train no model that is worth a comparison.
_LEAST_ROWS: Final = 150


def load(path: Path, seed: int) -> Corpus:
    """Takes up to six domains; each is served whole, to the models of the others."""
    columns, parts = rows(path)
    names = np.random.default_rng(seed).permutation(sorted(parts))[:_DOMAINS].tolist()
    return Corpus(
        columns,
        tuple(
            domain(name, parts[name], parts[name].none, parts[name], np.random.default_rng([seed, number]))
            for number, name in enumerate(sorted(names))
        ),
    )


def rows(path: Path) -> tuple[tuple[str, ...], Mapping[str, Part]]:
    """Reads the columns' names and the rows of each domain that has enough of them."""
    table = pq.read_table(path)
    domains = table[_DOMAIN].to_numpy(zero_copy_only=False).astype(str)
    labels = table[_LABEL].to_numpy(zero_copy_only=False)
    names = [name for name in table.column_names if name not in {_DOMAIN, _LABEL}]
    if names == [_TEXT]:
        texts = [_words(str(text).lower()) for text in table[_TEXT].to_pylist()]
        columns: tuple[str, ...] = (_TEXT,)
        items = np.array(texts, dtype=np.object_)
    else:
        found = {
            made: values for name in names for made, values in _column(_plain(name), table[name]).items()
        }
        columns, items = tuple(found), _stacked(list(found.values()))
    whole = Part.of(items, labels)
    sizes = {name: int((domains == name).sum()) for name in np.unique(domains).tolist()}
    return columns, {name: whole.take(domains == name) for name, size in sizes.items() if size >= _LEAST_ROWS}


def _plain(name: str) -> str:
    """A column's name as a model's input may have it."""
    return re.sub(r"\W", "_", name)


def _words(text: str) -> str:
    """The text; of a single word, such as a host name, its parts of two letters."""
    if " " in text:
        return text
    return " ".join(first + second for first, second in pairwise(f"_{text}_"))


def _column(name: str, values: pa.ChunkedArray) -> dict[str, Array]:
    """A column's values; of numbers that are missing, the median and a column that says so."""
    if not (pa.types.is_floating(values.type) or pa.types.is_integer(values.type)):
        texts = ["" if text is None else str(text) for text in values.to_pylist()]
        return {name: np.array(texts, dtype=np.object_)}
    numbers = values.to_numpy(zero_copy_only=False).astype(np.float32)
    missing = ~np.isfinite(numbers)
    if not missing.any():
        return {name: numbers}
    filled = np.where(missing, np.float32(np.median(numbers[~missing]) if not missing.all() else 0), numbers)
    return {name: filled, f"{name}_missing": missing.astype(np.float32)}


def _stacked(columns: list[Array]) -> Array:
    """float32 [rows, columns], or objects where a column is text."""
    if any(column.dtype == np.object_ for column in columns):
        return np.stack([column.astype(np.object_) for column in columns], axis=1)
    return np.stack(columns, axis=1)
