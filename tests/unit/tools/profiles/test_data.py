from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array, TensorSpec
from sidecar.tools.profiles import npz, tables
from sidecar.tools.profiles.data import Rows, open_rows, read_column

PAIR = (TensorSpec("x", "FP32", (2,)),)


def _all(rows: Rows) -> tuple[dict[str, Array], Array | None]:
    batches = list(rows)
    inputs = {name: np.concatenate([batch[name] for batch, _ in batches]) for name in batches[0][0]}
    labels = [part for _, part in batches if part is not None]
    return inputs, np.concatenate(labels) if labels else None


def _csv(folder: Path, text: str | bytes) -> Path:
    path = folder / "rows.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def _parquet(folder: Path, **columns: Any) -> Path:  # noqa: ANN401 - lists and arrow arrays
    path = folder / "rows.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=3)
    return path


def _npz(folder: Path, **arrays: Any) -> Path:  # noqa: ANN401 - whatever numpy saves
    path = folder / "rows.npz"
    np.savez(path, **arrays)
    return path


@pytest.fixture(params=[True, False], ids=["small batches", "one batch"])
def _batches(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param:
        for module in (npz, tables):
            monkeypatch.setattr(module, "_BATCH_ROWS", 3)
            monkeypatch.setattr(module, "_BATCH_BYTES", 64)


VALUES = np.arange(20, dtype=np.float32).reshape(10, 2) / 4
LABELS = np.arange(10) % 3


def _write(folder: Path, kind: str) -> tuple[Path, tuple[str, ...]]:
    names = [f"class {label}" for label in LABELS]
    if kind == "csv":
        lines = [f"{a},{b},{name}" for (a, b), name in zip(VALUES, names, strict=True)]
        return _csv(folder, "\n".join(["a,b,y", *lines])), ("a", "b")
    if kind == "parquet columns":
        return _parquet(folder, a=VALUES[:, 0], y=pa.array(names).dictionary_encode(), b=VALUES[:, 1]), (
            "a",
            "b",
        )
    if kind == "parquet list":
        return _parquet(folder, v=list(VALUES), y=names), ("v",)
    if kind == "parquet fixed list":
        values = pa.FixedSizeListArray.from_arrays(pa.array(VALUES.ravel()), 2)
        return _parquet(folder, v=values, y=names), ("v",)
    if kind == "npz compressed":
        np.savez_compressed(folder / "rows.npz", v=VALUES.astype(">f8"), y=np.array(names))
        return folder / "rows.npz", ("v",)
    values = np.asfortranarray(VALUES) if kind == "npz fortran" else VALUES
    return _npz(folder, v=values, y=np.array(names)), ("v",)


@pytest.mark.usefixtures("_batches")
@pytest.mark.parametrize(
    "kind",
    ["csv", "parquet columns", "parquet list", "parquet fixed list", "npz", "npz fortran", "npz compressed"],
)
def test_every_kind_of_file_gives_the_same_rows_twice(tmp_path: Path, kind: str) -> None:
    path, columns = _write(tmp_path, kind)
    rows = open_rows(path, PAIR, label="y")

    for inputs, labels in (_all(rows), _all(rows)):
        np.testing.assert_array_equal(inputs["x"], VALUES)
        assert inputs["x"].dtype == np.float32
        assert labels is not None
        assert list(labels) == [f"class {label}" for label in LABELS]
    assert rows.columns == columns
    assert rows.total == (None if kind == "csv" else 10)


def test_columns_feed_the_inputs_of_their_name(tmp_path: Path) -> None:
    inputs = (
        TensorSpec("age", "INT64", (1,)),
        TensorSpec("words", "BYTES", (1,)),
        TensorSpec("z", "FP64", ()),
    )
    rows = open_rows(_csv(tmp_path, "z,unused,words,age\n1,9,hi you,30\n2.5,9,,31\n"), inputs)

    found, labels = _all(rows)

    assert rows.columns == ("age", "words", "z")
    assert labels is None
    np.testing.assert_array_equal(found["age"], [[30], [31]])
    assert found["words"].tolist() == [["hi you"], [""]]
    np.testing.assert_array_equal(found["z"], [1, 2.5])


def test_values_take_the_shape_of_the_input(tmp_path: Path) -> None:
    path = _npz(tmp_path, images=np.arange(24, dtype=np.uint8).reshape(2, 12), y=[0, 1])

    for shape, sized in (((3, 4), (3, 4)), ((-1, 4), (3, 4)), ((1, -1, 6), (1, 2, 6))):
        rows = open_rows(path, (TensorSpec("x", "UINT8", shape),), label="y")
        assert rows.inputs == (TensorSpec("x", "UINT8", sized),)
        np.testing.assert_array_equal(_all(rows)[0]["x"], np.arange(24).reshape(2, *sized))


def test_dynamic_sizes_come_from_the_data(tmp_path: Path) -> None:
    path = _npz(tmp_path, x=np.zeros((2, 5, 7)), more=[1, 2, 3])
    assert open_rows(path, (TensorSpec("x", "FP32", (-1, -1)),)).inputs[0].shape == (5, 7)
    with pytest.raises(InvalidError, match=r"give 35 values a row; input 'z' takes \[-1, -1, -1\]"):
        open_rows(path, (TensorSpec("z", "FP32", (-1, -1, -1)),), features=["x"])


@pytest.mark.parametrize(
    ("given", "kept"),
    [([[3], [1]], [3, 1]), ([1.0, 2.0], [1, 2]), ([True, False], [1, 0]), ([b"a", b"b"], ["a", "b"])],
)
def test_labels_are_indices_or_names(tmp_path: Path, given: list[object], kept: list[object]) -> None:
    rows = open_rows(_npz(tmp_path, x=np.zeros((2, 2)), y=np.array(given)), PAIR, label="y")
    labels = _all(rows)[1]
    assert labels is not None
    assert labels.tolist() == kept


def _objects(folder: Path) -> Path:
    np.savez(folder / "rows.npz", x=np.array([{}, {}], dtype=object))
    return folder / "rows.npz"


def _truncated(folder: Path) -> Path:
    whole = _npz(folder, x=np.zeros((2, 2))).read_bytes()
    (folder / "rows.npz").write_bytes(whole[:100])
    return folder / "rows.npz"


def _short_member(folder: Path) -> Path:
    with zipfile.ZipFile(_npz(folder, x=np.zeros((4, 2)))) as archive:
        content = archive.read("x.npy")
    with zipfile.ZipFile(folder / "short.npz", "w") as archive:
        archive.writestr("x.npy", content[:-16])
    return folder / "short.npz"


def _renamed(path: Path, name: str) -> Path:
    return path.rename(path.with_name(name))


_FAULTS: dict[str, tuple[Any, dict[str, Any], str]] = {
    "suffix": (
        lambda f: f / "rows.txt",
        {},
        r"rows\.txt: unknown kind '\.txt': one of \.npz, \.parquet, \.csv",
    ),
    "absent": (lambda f: f / "rows.csv", {}, "no such file"),
    "column": (
        lambda f: _csv(f, "width,height\n1,2\n"),
        {"features": ["widht", "height"]},
        r"rows\.csv: there is no column 'widht'; there is width",
    ),
    "label": (
        lambda f: _npz(f, x=np.zeros((2, 2)), label=[0, 1]),
        {"label": "labels"},
        "'labels'; there is label",
    ),
    "empty csv": (lambda f: _csv(f, ""), {}, "Empty CSV"),
    "header only": (lambda f: _csv(f, "a,b\n"), {}, "no rows"),
    "empty npz": (lambda f: _npz(f, x=np.zeros((0, 2))), {}, "no rows"),
    "empty parquet": (
        lambda f: _parquet(f, a=pa.array([], pa.float32()), b=pa.array([], pa.float32())),
        {},
        "no rows",
    ),
    "null csv": (lambda f: _csv(f, "a,b\n1,2\n3,\n"), {}, "column 'b' has no value in data row 2"),
    "null parquet": (
        lambda f: _parquet(f, a=[1, 2, 3, 4, None], b=[1.0] * 5),
        {},
        "column 'a' .* data row 5",
    ),
    "null in list": (
        lambda f: _parquet(f, v=[[1, 2], [3, None]]),
        {},
        "column 'v' has no value in data row 2",
    ),
    "nan": (lambda f: _npz(f, x=[[1, 2], [3, np.nan]]), {}, "column 'x' is nan in data row 2"),
    "infinite": (lambda f: _csv(f, "a,b\n1,2\n3,4\n-inf,6\n"), {}, "column 'a' is -inf in data row 3"),
    "word": (
        lambda f: _csv(f, "a,b\n1,2\n3,four\n"),
        {},
        r"column #1: Row #3: .* invalid value 'four' .*header line",
    ),
    "ragged csv": (lambda f: _csv(f, "a,b\n1,2\n3\n"), {}, "Row #3: Expected 2 columns, got 1"),
    "ragged list": (
        lambda f: _parquet(f, v=[[1, 2], [3, 4], [5]]),
        {},
        "(1 values in data row 3 and 2 in row 1|give 1 values in some rows and 2 in the first)",
    ),
    "ragged later": (
        lambda f: _parquet(f, v=[[1, 2]] * 3 + [[5]] * 3),
        {},
        "(1 values in data row 4 and 2 in row 1|give 1 values in some rows and 2 in the first)",
    ),
    "lengths": (lambda f: _npz(f, x=np.zeros((2, 2)), y=[0]), {"label": "y"}, "different lengths"),
    "too many": (
        lambda f: _csv(f, "a,b,y\n1,2,0\n"),
        {},
        r"give 3 values a row; input 'x' takes \[2\].*--label",
    ),
    "twice": (lambda f: _csv(f, "a,a\n1,2\n"), {}, "several columns are named 'a'"),
    "text": (lambda f: _parquet(f, a=["u"], b=["v"]), {}, "column 'a': input 'x' takes FP32; object cannot"),
    "images": (lambda f: _parquet(f, a=[b"\x89PNG"], b=[b"\x89PNG"]), {}, "encoded images are not decoded"),
    "dates": (
        lambda f: _parquet(f, a=pa.array([1], pa.timestamp("ms")), b=[1]),
        {},
        r"column 'a' is timestamp\[ms\]",
    ),
    "objects": (_objects, {}, "'x' holds Python objects, which would need pickle"),
    "no npz": (lambda f: _renamed(_csv(f, "hello"), "rows.npz"), {}, "not an .npz file"),
    "no parquet": (lambda f: _renamed(_csv(f, "hello"), "rows.parquet"), {}, "not a .parquet file"),
    "truncated": (_truncated, {}, "not an .npz file"),
    "short": (_short_member, {}, "'x' ends before its 4 rows"),
    "part label": (
        lambda f: _npz(f, x=np.zeros((2, 2)), y=[0, 1.5]),
        {"label": "y"},
        "'y' is 1.5 in data row 2",
    ),
    "one-hot": (
        lambda f: _npz(f, x=np.zeros((2, 2)), y=np.eye(2)),
        {"label": "y"},
        "has 2 values a row: give one",
    ),
}


@pytest.mark.usefixtures("_batches")
@pytest.mark.parametrize("fault", _FAULTS)
def test_a_fault_is_named_with_its_place(tmp_path: Path, fault: str) -> None:
    make, options, message = _FAULTS[fault]
    path = make(tmp_path)
    with pytest.raises(InvalidError, match=message) as caught:
        _all(open_rows(path, PAIR, **options))
    assert str(caught.value).startswith(str(path))


def test_inputs_without_a_column_are_named(tmp_path: Path) -> None:
    inputs = (TensorSpec("a", "FP32", (1,)), TensorSpec("c", "FP32", (1,)))
    with pytest.raises(InvalidError, match=r"inputs a, c; .* missing are \['c'\], too many are \['b'\]"):
        open_rows(_csv(tmp_path, "a,b\n1,2\n"), inputs)


@pytest.mark.usefixtures("_batches")
def test_a_column_aside_feeds_no_input_and_is_read_by_itself(tmp_path: Path) -> None:
    sites = ["north", "south", "north", "west"]
    rows = np.arange(8, dtype=np.float32).reshape(4, 2)
    for path in (
        _npz(tmp_path, x=rows, site=np.array(sites)),
        _parquet(tmp_path, a=rows[:, 0], b=rows[:, 1], site=sites),
        _csv(
            tmp_path,
            "a,b,site\n" + "\n".join(f"{a},{b},{site}" for (a, b), site in zip(rows, sites, strict=True)),
        ),
    ):
        inputs, _ = _all(open_rows(path, PAIR, aside=["site"]))
        np.testing.assert_array_equal(inputs["x"], rows)
        for limit in (1, 3, 4, 9):
            assert read_column(path, "site", limit).tolist() == sites[:limit]
        with pytest.raises(InvalidError, match="there is no column 'sit'; there is site"):
            read_column(path, "sit", 4)


def test_a_column_of_no_rows_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="the file has no rows"):
        read_column(_csv(tmp_path, "a,b\n"), "a", 4)
