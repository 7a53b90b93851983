"""Reads the columns of .parquet and .csv files in row batches through pyarrow."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import DATATYPES, Array

_BATCH_BYTES: Final = 4 << 20
_BATCH_ROWS: Final = 8192


class ParquetSource:
    """The columns of one .parquet file; list columns have one more axis."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with pq.ParquetFile(path) as file:
                self.columns = tuple(file.schema_arrow.names)
                self._rows: int = file.metadata.num_rows
                groups = (file.metadata.row_group(index) for index in range(file.metadata.num_row_groups))
                size = sum(group.total_byte_size for group in groups)
        except (pa.ArrowException, OSError) as error:
            raise InvalidError(f"{path}: not a .parquet file that can be read ({error})") from error
        self._step = min(_BATCH_ROWS, max(1, _BATCH_BYTES * self._rows // max(1, size)))

    def count(self, columns: Collection[str]) -> int:  # noqa: ARG002 - every column is as long as the file
        """Rows of the file."""
        return self._rows

    def batches(self, columns: Mapping[str, str | None]) -> Iterator[dict[str, Array]]:
        """Yields the chosen columns, each [rows, ...], a few rows at a time.

        Raises:
            InvalidError: a value is missing, lists differ in length, or the file is broken.
        """
        try:
            # Without pre-buffering and with a small buffer, a row group is never held whole.
            with pq.ParquetFile(self._path, pre_buffer=False, buffer_size=1 << 16) as file:
                first = 1
                for batch in file.iter_batches(self._step, columns=list(columns), use_threads=False):
                    yield _arrays(self._path, batch, columns, first)
                    first += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise InvalidError(f"{self._path}: the file breaks off or is damaged ({error})") from error


class CsvSource:
    """The columns of one .csv file with a header line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._open({}) as reader:
            self.columns = tuple(reader.schema.names)

    def count(self, columns: Collection[str]) -> None:  # noqa: ARG002 - unknown before the file was read
        """Unknown: a text file does not say."""
        return

    def batches(self, columns: Mapping[str, str | None]) -> Iterator[dict[str, Array]]:
        """Yields the chosen columns, each [rows], a few rows at a time.

        Args:
            columns: names, each with the V2 datatype to read it as; None: as its first values look.

        Raises:
            InvalidError: a value is missing or of another kind, or a line has another length.
        """
        types = {name: _arrow_type(datatype) for name, datatype in columns.items() if datatype is not None}
        first = 1
        with self._open(types, list(columns)) as reader:
            try:
                for batch in reader:
                    yield _arrays(self._path, batch, columns, first)
                    first += batch.num_rows
            except pa.ArrowException as error:
                raise self._unreadable(error) from error

    def _open(self, types: dict[str, Any], columns: list[str] | None = None) -> Any:  # noqa: ANN401 - pyarrow has no types
        try:
            return pa.csv.open_csv(
                self._path,
                # Only the serial reader tells the line of a fault.
                read_options=pa.csv.ReadOptions(use_threads=False, block_size=_BATCH_BYTES),
                convert_options=pa.csv.ConvertOptions(column_types=types, include_columns=columns),
            )
        except (pa.ArrowException, OSError) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> InvalidError:
        return InvalidError(f"{self._path}: {error} (here row 1 is the header line): mend that line")


def _arrow_type(datatype: str) -> Any:  # noqa: ANN401 - pyarrow has no types
    if datatype == "BYTES":
        return pa.string()
    if datatype in {"FP16", "BF16", "FP32"}:
        return pa.float64()
    return pa.from_numpy_dtype(DATATYPES[datatype])


def _arrays(path: Path, batch: Any, columns: Collection[str], first: int) -> dict[str, Array]:  # noqa: ANN401 - pyarrow has no types
    return {name: _array(batch.column(name), f"{path}: column {name!r}", first, 1) for name in columns}


def _array(values: Any, where: str, first: int, per_row: int) -> Array:  # noqa: ANN401 - pyarrow has no types
    """Turns one arrow column to [rows, ...]; `per_row` of its values lie in one row of the file."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        values = values.dictionary_decode()
        kind = values.type
    if values.null_count:
        row = first + pc.index(values.is_null(), value=True).as_py() // per_row
        raise InvalidError(f"{where} has no value in data row {row}: fill it or leave the row out")
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        lengths = pc.list_value_length(values).to_numpy(zero_copy_only=False)
        size = int(lengths[0]) if len(lengths) else 0
        if (lengths != size).any():
            place = int((lengths != size).argmax())
            raise InvalidError(
                f"{where} has {lengths[place]} values in data row {first + place // per_row} "
                f"and {size} in row {first}: give every row as many"
            )
        inner = _array(values.flatten(), where, first, per_row * max(1, size))
        return inner.reshape(len(values), size, *inner.shape[1:])
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return values.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]  # pyarrow has no types
    if (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    ):
        return values.to_numpy(zero_copy_only=False).astype(object)  # type: ignore[no-any-return]  # the same
    raise InvalidError(f"{where} is {kind}: numbers, text and lists of numbers are read; convert it")
