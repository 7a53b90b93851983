"""Reads and writes performance tables as Parquet, whose schema carries the space as versioned JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from sidecar.core.errors import InvalidError
from sidecar.core.files import replace_file
from sidecar.core.tensors import Floats
from sidecar.estimation.performance.space import Space
from sidecar.estimation.performance.table import PerformanceTable, check_metric_name, merged

FORMAT_VERSION: Final = 1
_METADATA: Final = b"pilotfish_table"
# A day of measurements has some thousand rows; ten million values still fit into memory many times.
_MOST_VALUES: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class _Header:
    """The roles of a file's columns; those of neither the space nor the environment are metrics."""

    format_version: int
    space: Space
    environment: tuple[str, ...]


_HEADER: Final = TypeAdapter(_Header)


def write_tables(tables: Sequence[PerformanceTable], path: Path | str) -> None:
    """Writes the tables of one space into one file; it appears whole or not at all.

    Args:
        tables: at least one, with the same space and the same environment columns and metrics.
        path: path of the file.

    Raises:
        InvalidError: the tables do not go into one file.
        OSError: the file cannot be written.
    """
    path = Path(path)
    first = tables[0]
    for table in tables[1:]:
        if table.space != first.space or table.environment.keys() != first.environment.keys():
            raise InvalidError(
                f"{path}: the tables have different options or environment columns: write one file each"
            )
        if table.metrics.keys() != first.metrics.keys():
            raise InvalidError(f"{path}: the tables have different metrics: write one file each")
    names = [*first.environment, *first.space.names, *first.metrics]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidError(f"{path}: several columns would be named {twice[0]!r}: rename one")
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for table in tables:
        for name, value in table.environment.items():
            columns[name] += [value] * len(table)
        for name, option, codes in zip(table.space.names, table.space.options, table.codes.T, strict=True):
            columns[name] += [option.value(code) for code in codes.tolist()]
        for name, values in table.metrics.items():
            columns[name] += values.tolist()
    header = _Header(FORMAT_VERSION, first.space, tuple(first.environment))
    try:
        content = pa.table(columns)
    except pa.ArrowException as error:
        raise InvalidError(f"{path}: an option's values are of several kinds ({error}): use one") from error
    content = content.replace_schema_metadata({_METADATA: json.dumps(asdict(header), sort_keys=True)})
    buffer = io.BytesIO()
    pq.write_table(content, buffer)
    replace_file(path, buffer.getvalue())


def read_tables(
    path: Path | str, space: Space | None = None, environment: Sequence[str] = ()
) -> tuple[PerformanceTable, ...]:
    """Reads the measurements of a file, one table for each environment in it.

    Args:
        path: a Parquet file.
        space: the options; None: those that the file itself describes.
        environment: columns that tell the environments apart, where `space` is given.

    Returns:
        the tables, in the order in which their environments appear first.

    Raises:
        InvalidError: the file cannot be read, its columns do not fit the space, or a value is missing,
            unknown, not above 0, or at odds with another row of the same configuration.
    """
    path = Path(path)
    content = _content(path)
    if space is None:
        space, environment = _roles(path, (content.schema.metadata or {}).get(_METADATA))
    for name in (*space.names, *environment):
        if name not in content.column_names:
            raise InvalidError(
                f"{path}: there is no column {name!r}; there is {', '.join(content.column_names)}: "
                "name the column as the option or environment is named"
            )
    try:
        columns = {name: _values(content, name) for name in content.column_names}
        return _tables(space, tuple(environment), columns)
    except InvalidError as error:
        raise InvalidError(f"{path}: {error}") from error


def _tables(
    space: Space, environment: tuple[str, ...], columns: dict[str, list[Any]]
) -> tuple[PerformanceTable, ...]:
    codes = np.stack(
        [_codes(space, column, columns[name]) for column, name in enumerate(space.names)], axis=1
    )
    for row, code in enumerate(codes, start=1):
        try:
            space.code(space.configuration(code))
        except InvalidError as error:
            raise InvalidError(f"data row {row}: {error}") from error
    metrics = {
        name: _metric(name, values)
        for name, values in columns.items()
        if name not in space.names and name not in environment
    }
    # Made whole once, so that a fault is told by the file's rows.
    PerformanceTable(space, {}, codes, metrics)
    rows: dict[tuple[str, ...], list[int]] = {}
    for row in range(len(codes)):
        rows.setdefault(tuple(str(columns[name][row]) for name in environment), []).append(row)
    tables = []
    for values, chosen in rows.items():
        place = dict(zip(environment, values, strict=True))
        part = PerformanceTable(space, place, codes[chosen], {n: m[chosen] for n, m in metrics.items()})
        tables.append(merged(part, np.array(chosen) + 1))
    return tuple(tables)


def _codes(space: Space, column: int, values: list[Any]) -> Floats:
    option = space.options[column]
    known: dict[Any, float] = {}
    for row, value in enumerate(values, start=1):
        if value not in known:
            try:
                known[value] = option.code(value)
            except InvalidError as error:
                raise InvalidError(f"column {option.name!r}, data row {row}: {error}") from error
    return np.array([known[value] for value in values])


def _metric(name: str, values: list[Any]) -> Floats:
    check_metric_name(name)
    for row, value in enumerate(values, start=1):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidError(f"metric {name!r} is {value!r} in data row {row}: give a number")
    return np.array(values, dtype=np.float64)


def _values(content: Any, name: str) -> list[Any]:  # noqa: ANN401 - pyarrow has no types
    values: list[Any] = content[name].to_pylist()
    for row, value in enumerate(values, start=1):
        if value is None:
            raise InvalidError(
                f"column {name!r} has no value in data row {row}: fill it or leave the row out"
            )
        if not isinstance(value, str | bool | int | float):
            raise InvalidError(
                f"column {name!r} holds {type(value).__name__} in data row {row}: numbers, text and "
                "truth values are read; convert it"
            )
    return values


def _content(path: Path) -> Any:  # noqa: ANN401 - pyarrow has no types
    if not path.is_file():
        raise InvalidError(f"{path}: there is no such file: check the path")
    try:
        with pq.ParquetFile(path) as file:
            rows, columns = file.metadata.num_rows, len(file.schema_arrow.names)
            if not rows:
                raise InvalidError(f"{path}: the file has no rows")
            if rows * columns > _MOST_VALUES:
                raise InvalidError(
                    f"{path}: {rows} rows of {columns} columns; at most {_MOST_VALUES} values are read: "
                    "keep a sample of the rows"
                )
            return file.read(use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise InvalidError(f"{path}: not a Parquet file that can be read ({error})") from error


def _roles(path: Path, text: bytes | None) -> tuple[Space, tuple[str, ...]]:
    if text is None:
        raise InvalidError(
            f"{path}: the file does not say which columns are options: give the space that it was measured in"
        )
    try:
        found = json.loads(text).get("format_version")
    except (ValueError, AttributeError, RecursionError) as error:
        raise InvalidError(
            f"{path}: the table's description is damaged ({error}): measure it again"
        ) from error
    if found != FORMAT_VERSION:
        raise InvalidError(
            f"{path}: the table has format version {found}; this Pilotfish reads {FORMAT_VERSION}: "
            "measure it again"
        )
    try:
        header = _HEADER.validate_json(text)
    except (ValidationError, InvalidError) as error:
        raise InvalidError(
            f"{path}: the table's description is damaged ({error}): measure it again"
        ) from error
    return header.space, header.environment
