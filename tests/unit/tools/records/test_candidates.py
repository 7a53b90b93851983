from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sidecar.core.errors import InvalidError
from sidecar.tools.records.candidates import read_candidates

ROWS = {"model": ["a", "b"], "kind": ["x", "y"], "top1": [0.5, 0.75], "size": [3, 4]}


def parquet(folder: Path, **changed: object) -> Path:
    path = folder / "models.parquet"
    pq.write_table(pa.table({**ROWS, **changed}), path)
    return path


def test_csv_and_parquet_say_the_same(tmp_path: Path) -> None:
    csv = tmp_path / "models.csv"
    csv.write_text("model,kind,top1,size\na,x,0.5,3\nb,y,0.75,4\n")
    for path in (csv, parquet(tmp_path)):
        found = read_candidates(path, ["size", "top1"])
        assert found.names == ("a", "b")
        assert {name: values.tolist() for name, values in found.numbers.items()} == {
            "size": [3.0, 4.0],
            "top1": [0.5, 0.75],
        }


def test_names_come_from_the_asked_column_or_from_the_first_of_text(tmp_path: Path) -> None:
    assert read_candidates(parquet(tmp_path), [], ["kind"]).names == ("x", "y")
    assert read_candidates(parquet(tmp_path), [], ["kind", "size"]).names == ("x 3", "y 4")
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table({"size": [1, 2], "kind": ["x", "y"], "tag": ["a", "a"]}), path)
    assert read_candidates(path, ["size"]).names == ("x", "y")
    pq.write_table(pa.table({"size": [1, 2], "model": [7, 8]}), path)
    assert read_candidates(path, ["size"]).names == ("7", "8")
    pq.write_table(pa.table({"size": [1, 2]}), path)
    with pytest.raises(InvalidError, match="no column holds text: name the one"):
        read_candidates(path, ["size"])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"top1": [0.5, None]}, "column 'top1' has no value in data row 2: fill it"),
        ({"top1": [0.5, float("nan")]}, "column 'top1' is nan in data row 2: give a finite number"),
        ({"top1": [float("inf"), 0.5]}, "column 'top1' is inf in data row 1"),
        ({"top1": ["0.5", "1,013.01"]}, r"column 'top1' is '0\.5' in data row 1: write plain numbers"),
        ({"top1": [True, False]}, "column 'top1' is True in data row 1"),
        ({"model": ["a", "a"]}, "'a' is the name in data rows 1 and 2: give each model one row"),
        ({"model": ["a", None]}, "column 'model' has no value in data row 2"),
        ({"model": [], "kind": [], "top1": [], "size": []}, "the table has no rows"),
    ],
)
def test_what_is_wrong_is_told_with_column_and_row(
    changed: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidError, match=f"models.parquet: {message}"):
        read_candidates(parquet(tmp_path, **changed), ["top1"])


def test_a_missing_column_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="no column 'top5'; there is model, kind, top1, size"):
        read_candidates(parquet(tmp_path), ["top5"])
    with pytest.raises(InvalidError, match="no column 'tag'"):
        read_candidates(parquet(tmp_path), ["top1"], ["tag"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.json", b"{}", "must end in .csv or .parquet"),
        ("m.parquet", b"no", "cannot be read"),
        ("m.csv", b"model,a\nx,1,2\n", "cannot be read"),
        ("m.csv", b"", "cannot be read"),
        ("none.csv", None, "there is no such file"),
    ],
)
def test_files_that_cannot_be_read_are_told(
    name: str, content: bytes | None, message: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidError, match=message):
        read_candidates(tmp_path / name, ["a"])
