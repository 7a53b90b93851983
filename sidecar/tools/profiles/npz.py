"""Reads the arrays of an .npz file in row batches, without holding any of them whole."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array

_BATCH_BYTES: Final = 4 << 20
_BATCH_ROWS: Final = 8192
# What zipfile, zlib and numpy raise on a file that is not what it says.
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class _Header:
    """What an .npy member says of itself."""

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]

    @property
    def row_bytes(self) -> int:
        return int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize


class NpzSource:
    """The arrays of one .npz file as columns; the first axis counts rows.

    Attributes:
        columns: names of the arrays that have a first axis.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._headers: dict[str, _Header] = {}
        try:
            with zipfile.ZipFile(path) as archive:
                for member in archive.namelist():
                    with archive.open(member) as file:
                        self._headers[member.removesuffix(".npy")] = _read_header(file)
        except _BROKEN as error:
            raise self._unreadable(error) from error
        self.columns = tuple(name for name, header in self._headers.items() if header.shape)

    def count(self, columns: Collection[str]) -> int:
        """Rows of the chosen columns.

        Raises:
            InvalidError: their lengths differ.
        """
        lengths = {name: self._headers[name].shape[0] for name in columns}
        if len(set(lengths.values())) > 1:
            raise InvalidError(
                f"{self._path}: the arrays have different lengths {lengths}: choose with --features"
            )
        return next(iter(lengths.values()))

    def batches(self, columns: Collection[str]) -> Iterator[dict[str, Array]]:
        """Yields the chosen columns, each [rows, ...], a few rows at a time.

        Raises:
            InvalidError: an array holds Python objects, or the file is truncated.
        """
        self.count(columns)
        for name in columns:
            if self._headers[name].dtype.hasobject:
                raise InvalidError(
                    f"{self._path}: array {name!r} holds Python objects, which would need pickle: "
                    "save text as a fixed-width array, array.astype(str)"
                )
        row_bytes = max(1, sum(self._headers[name].row_bytes for name in columns))
        step = min(_BATCH_ROWS, max(1, _BATCH_BYTES // row_bytes))
        try:
            with zipfile.ZipFile(self._path) as archive:
                for parts in zip(*(self._parts(archive, name, step) for name in columns), strict=True):
                    yield dict(zip(columns, parts, strict=True))
        except _BROKEN as error:
            raise self._unreadable(error) from error

    def _parts(self, archive: zipfile.ZipFile, name: str, step: int) -> Iterator[Array]:
        with archive.open(f"{name}.npy") as file:
            header = _read_header(file)
            rows = header.shape[0]
            if header.fortran_order and len(header.shape) > 1:
                # Columns lie one behind the other, so a row is everywhere: read across them on disk.
                with tempfile.TemporaryFile() as spool:
                    shutil.copyfileobj(file, spool)
                    across = np.memmap(spool, header.dtype, "r", shape=header.shape, order="F")
                    for start in range(0, rows, step):
                        yield np.array(across[start : start + step], order="C")
                return
            for start in range(0, rows, step):
                count = min(step, rows - start)
                content = file.read(count * header.row_bytes)
                if len(content) < count * header.row_bytes:
                    raise EOFError(f"array {name!r} ends before its {rows} rows")
                yield np.frombuffer(content, header.dtype).reshape(count, *header.shape[1:])

    def _unreadable(self, error: Exception) -> InvalidError:
        return InvalidError(
            f"{self._path}: not an .npz file that can be read ({error}): write it with numpy.savez"
        )


def _read_header(file: IO[bytes]) -> _Header:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return _Header(*np.lib.format.read_array_header_1_0(file))
    if version == (2, 0):
        return _Header(*np.lib.format.read_array_header_2_0(file))
    raise ValueError(f"array format {version} is for structured arrays")
