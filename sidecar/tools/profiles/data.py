"""From a data file to batches of a model's inputs, and labels. Decodes no images."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Final, Protocol, TypeAlias

import numpy as np

from sidecar.core.casting import cast
from sidecar.core.close_names import close_names
from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array, TensorSpec
from sidecar.tools.profiles.npz import NpzSource
from sidecar.tools.profiles.tables import CsvSource, ParquetSource

LabelledBatch: TypeAlias = tuple[dict[str, Array], Array | None]


class Source(Protocol):
    """A data file as named columns."""

    columns: tuple[str, ...]

    def count(self, columns: Collection[str]) -> int | None:
        """Rows of these columns; None where only reading tells."""

    def batches(self, columns: Mapping[str, str | None]) -> Iterator[dict[str, Array]]:
        """Yields the columns, each [rows, ...]; the V2 datatype is what text files are read as."""


_SOURCES: Final[dict[str, Callable[[Path], Source]]] = {
    ".npz": NpzSource,
    ".parquet": ParquetSource,
    ".csv": CsvSource,
}


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a file as a model's inputs; iterate as often as needed.

    Each iteration reads the file anew and yields (inputs, labels): arrays by input name, each
    [rows, ...], of the input's datatype and finite; labels [rows], int64 or `str` objects, or None
    where no label column was named.

    Attributes:
        path: the file.
        inputs: the model's inputs with every size known.
        columns: the columns that feed them, in the inputs' order.
        total: rows in the file; None where only reading tells.
        label: the label column.
    """

    path: Path
    inputs: tuple[TensorSpec, ...]
    columns: tuple[str, ...]
    total: int | None
    label: str | None
    _source: Source
    _bindings: tuple[tuple[str, ...], ...]

    def __iter__(self) -> Iterator[LabelledBatch]:
        first = 1
        for arrays in _read(self._source, self.inputs, self._bindings, self.label):
            rows = len(next(iter(arrays.values())))
            for name in self.columns:
                _check_finite(self.path, name, arrays[name], first)
            inputs = {
                spec.name: self._input(arrays, spec, columns)
                for spec, columns in zip(self.inputs, self._bindings, strict=True)
            }
            labels = None if self.label is None else _labels(self.path, self.label, arrays[self.label], first)
            yield inputs, labels
            first += rows

    def _input(self, arrays: Mapping[str, Array], spec: TensorSpec, columns: Sequence[str]) -> Array:
        parts = []
        for name in columns:
            try:
                part = cast(arrays[name], spec)
            except InvalidError as error:
                raise InvalidError(
                    f"{self.path}: column {name!r}: {_kind_hint(arrays[name])}{error}"
                ) from error
            parts.append(part.reshape(len(part), -1))
        flat = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        if flat.shape[1] != prod(spec.shape):
            raise InvalidError(
                f"{self.path}: columns {', '.join(columns)} give {flat.shape[1]} values in some rows and "
                f"{prod(spec.shape)} in the first: give every row as many"
            )
        return flat.reshape(len(flat), *spec.shape)


def open_rows(
    path: Path | str,
    inputs: Sequence[TensorSpec],
    *,
    features: Sequence[str] = (),
    label: str | None = None,
    aside: Sequence[str] = (),
) -> Rows:
    """Opens a data file for a model; reads only its first rows.

    Columns named like the model's inputs feed those; otherwise all columns together, in order, feed
    a model's only input.

    Args:
        path: an .npz, .parquet or .csv file.
        inputs: the model's inputs.
        features: columns to use; all but the label and those aside where empty.
        label: the column with the true class, a name or an index.
        aside: columns that are no features.

    Raises:
        InvalidError: the file cannot be read, a column is missing, or the columns do not fit the model.
    """
    path = Path(path)
    source = _open(path)
    for name in (*features, *([] if label is None else [label])):
        _check_known(path, name, source.columns)
    chosen = tuple(features) or tuple(name for name in source.columns if name not in {label, *aside})
    bindings = _bind(path, inputs, chosen, explicit=bool(features))
    first = next(_read(source, inputs, bindings, label), None)
    if first is None or not len(next(iter(first.values()))):
        raise InvalidError(f"{path}: the file has no rows")
    columns = tuple(name for names in bindings for name in names)
    sized = tuple(
        replace(spec, shape=_sizes(path, spec, [first[name] for name in names], label))
        for spec, names in zip(inputs, bindings, strict=True)
    )
    total = source.count(columns if label is None else (*columns, label))
    return Rows(path, sized, columns, total, label, source, bindings)


def read_column(path: Path, name: str, limit: int) -> Array:
    """Reads one column's first rows as they are stored.

    Args:
        path: an .npz, .parquet or .csv file.
        name: name of the column.
        limit: rows, at most.

    Returns:
        shape [rows, ...].

    Raises:
        InvalidError: the file cannot be read, or has no such column or no rows.
    """
    source = _open(path)
    _check_known(path, name, source.columns)
    parts: list[Array] = []
    left = limit
    for arrays in source.batches({name: None}):
        parts.append(arrays[name][:left])
        left -= len(parts[-1])
        if not left:
            break
    if left == limit:
        raise InvalidError(f"{path}: the file has no rows")
    return np.concatenate(parts)


def _open(path: Path) -> Source:
    if path.suffix not in _SOURCES:
        raise InvalidError(f"{path}: unknown kind {path.suffix!r}: one of {', '.join(_SOURCES)} is read")
    if not path.is_file():
        raise InvalidError(f"{path}: there is no such file: check the path")
    source = _SOURCES[path.suffix](path)
    twice = sorted({name for name in source.columns if source.columns.count(name) > 1})
    if twice:
        raise InvalidError(f"{path}: several columns are named {twice[0]!r}: rename them")
    return source


def _read(
    source: Source, inputs: Sequence[TensorSpec], bindings: Sequence[tuple[str, ...]], label: str | None
) -> Iterator[dict[str, Array]]:
    wanted: dict[str, str | None] = {
        name: spec.datatype for spec, names in zip(inputs, bindings, strict=True) for name in names
    }
    if label is not None:
        wanted[label] = None
    return source.batches(wanted)


def _bind(
    path: Path, inputs: Sequence[TensorSpec], chosen: tuple[str, ...], *, explicit: bool
) -> tuple[tuple[str, ...], ...]:
    """Which columns feed which input."""
    names = [spec.name for spec in inputs]
    if set(names) <= set(chosen) and (not explicit or len(names) == len(chosen)):
        return tuple((name,) for name in names)
    if len(inputs) == 1 and chosen:
        return (chosen,)
    missing = [name for name in names if name not in chosen]
    extra = [name for name in chosen if name not in names]
    raise InvalidError(
        f"{path}: the model has the inputs {', '.join(names)}; columns of these names feed them: "
        f"missing are {missing}, too many are {extra}"
    )


def _sizes(path: Path, spec: TensorSpec, parts: Sequence[Array], label: str | None) -> tuple[int, ...]:
    """The sizes behind the item axis that these rows give an input."""
    given = parts[0].shape[1:]
    if len(parts) == 1 and len(given) == len(spec.shape):
        fits = (wanted in {-1, size} for wanted, size in zip(spec.shape, given, strict=True))
        if all(fits):
            return given
    values = sum(prod(part.shape[1:]) for part in parts)
    known = prod(size for size in spec.shape if size != -1)
    free = spec.shape.count(-1)
    if (free == 0 and known == values) or (free == 1 and known and values >= known and values % known == 0):
        return tuple(values // known if size == -1 else size for size in spec.shape)
    mend = "choose columns with --features" + ("" if label else ", or name the label column with --label")
    raise InvalidError(
        f"{path}: the columns give {values} values a row; "
        f"input {spec.name!r} takes {list(spec.shape)}: {mend}"
    )


def _check_known(path: Path, name: str, columns: Sequence[str]) -> None:
    if name in columns:
        return
    near = close_names(name, columns, 3) or list(columns[:10])
    raise InvalidError(f"{path}: there is no column {name!r}; there is {', '.join(near) or 'none'}")


def _check_finite(path: Path, name: str, array: Array, first: int) -> None:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        place = tuple(np.argwhere(~np.isfinite(array))[0])
        raise InvalidError(
            f"{path}: column {name!r} is {array[place]} in data row {first + place[0]}: "
            "fill it or leave the row out"
        )


def _kind_hint(array: Array) -> str:
    if array.dtype.kind == "S" or (
        array.dtype.kind == "O" and array.size and isinstance(array.flat[0], bytes)
    ):
        return "encoded images are not decoded, store the numbers that the model takes; "
    return ""


def _labels(path: Path, name: str, array: Array, first: int) -> Array:
    where = f"{path}: label column {name!r}"
    if prod(array.shape[1:]) != 1:
        raise InvalidError(
            f"{where} has {prod(array.shape[1:])} values a row: give one, the class's name or index"
        )
    flat = array.reshape(len(array))
    if flat.dtype.kind in "biu":
        return flat.astype(np.int64)
    if flat.dtype.kind == "f":
        wrong = ~np.isfinite(flat) | (flat != np.round(flat))
        if wrong.any():
            place = int(wrong.argmax())
            raise InvalidError(
                f"{where} is {flat[place]} in data row {first + place}: give the class's name or index"
            )
        return flat.astype(np.int64)
    texts = [value.decode(errors="replace") if isinstance(value, bytes) else str(value) for value in flat]
    return np.array(texts, dtype=np.object_)
