"""Reads a table of models, one a row: a column of names and columns of numbers, from .csv or .parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Floats

# What such a column is mostly called.
_NAME: Final = "model"


@dataclass(frozen=True, slots=True)
class Candidates:
    """Models that a table compares.

    Attributes:
        names: all different.
        numbers: finite, by column, each [models].
    """

    names: tuple[str, ...]
    numbers: Mapping[str, Floats]


def read_candidates(path: Path, columns: Sequence[str], name: Sequence[str] = ()) -> Candidates:
    """Reads the named columns.

    Args:
        path: ends in .csv or .parquet.
        columns: columns of numbers.
        name: columns that together name a model; none: `model`, or else the first column of text.

    Raises:
        InvalidError: the file cannot be read or has no rows, a column is missing, a value is missing or no
            finite number, or two rows have one name.
    """
    content = _content(path)
    name = name or [_name_column(path, content)]
    for column in (*name, *columns):
        if column not in content.column_names:
            raise InvalidError(
                f"{path}: there is no column {column!r}; there is {', '.join(content.column_names)}"
            )
    if not content.num_rows:
        raise InvalidError(f"{path}: the table has no rows: give it a row for each model")
    parts = zip(*(_whole(path, content, column) for column in name), strict=True)
    names = [" ".join(map(str, part)) for part in parts]
    rows: dict[str, int] = {}
    for row, one in enumerate(names, start=1):
        if one in rows:
            raise InvalidError(
                f"{path}: {one!r} is the name in data rows {rows[one]} and {row}: give each model one row, "
                f"or tell them apart by a further column, like --name {name[0]},size"
            )
        rows[one] = row
    return Candidates(tuple(names), {column: _numbers(path, content, column) for column in columns})


def _content(path: Path) -> Any:  # noqa: ANN401 - pyarrow has no types
    if path.suffix not in {".csv", ".parquet"}:
        raise InvalidError(f"{path}: the file's name must end in .csv or .parquet")
    if not path.is_file():
        raise InvalidError(f"{path}: there is no such file: check the path")
    try:
        return pa.csv.read_csv(path) if path.suffix == ".csv" else pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise InvalidError(f"{path}: the table cannot be read ({error}): mend or rewrite it") from error


def _name_column(path: Path, content: Any) -> str:  # noqa: ANN401 - pyarrow has no types
    texts = [
        str(field.name)
        for field in content.schema
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
    ]
    if _NAME in content.column_names or not texts:
        texts.insert(0, _NAME)
    if texts[0] not in content.column_names:
        raise InvalidError(f"{path}: no column holds text: name the one with the models' names with --name")
    return texts[0]


def _whole(path: Path, content: Any, column: str) -> list[Any]:  # noqa: ANN401 - pyarrow has no types
    values: list[Any] = content[column].to_pylist()
    if None in values:
        row = values.index(None) + 1
        raise InvalidError(
            f"{path}: column {column!r} has no value in data row {row}: fill it or leave the row out"
        )
    return values


def _numbers(path: Path, content: Any, column: str) -> Floats:  # noqa: ANN401 - pyarrow has no types
    values = _whole(path, content, column)
    for row, value in enumerate(values, start=1):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidError(
                f"{path}: column {column!r} is {value!r} in data row {row}: write plain numbers"
            )
        if not np.isfinite(value):
            raise InvalidError(
                f"{path}: column {column!r} is {value} in data row {row}: give a finite number or leave the "
                "row out"
            )
    return np.array(values, dtype=np.float64)
