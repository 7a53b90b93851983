from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sidecar.core.errors import InvalidError
from sidecar.estimation.performance.space import Option, OptionKind, Space
from sidecar.estimation.performance.table import PerformanceTable
from sidecar.tools.records.performance_table import read_tables, write_tables
from tests.support.performance_system import CONSTRAINED, SPACE, measured, source_cost, target_cost

SMALL = Space(
    (
        Option("threads", OptionKind.LOG, (1, 2, 4), 1),
        Option("mode", OptionKind.CATEGORICAL, ("plain", "fused"), "plain"),
    )
)
ROWS: dict[str, list[Any]] = {
    "machine": ["a", "a", "b"],
    "threads": [1, 4, 1],
    "mode": ["plain", "fused", "plain"],
    "latency_s": [0.5, 0.2, 0.9],
}


def written(path: Path, **changed: list[Any]) -> Path:
    pq.write_table(pa.table({**ROWS, **changed}), path / "t.parquet")
    return path / "t.parquet"


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    tables = [
        measured(CONSTRAINED, name, cost, 30, seed)
        for seed, (name, cost) in enumerate((("a", source_cost), ("b", target_cost)))
    ]
    write_tables(tables, tmp_path / "t.parquet")
    again = read_tables(tmp_path / "t.parquet")
    for one, other in zip(tables, again, strict=True):
        assert other.space == one.space
        assert other.environment == one.environment
        assert (other.codes == one.codes).all()
        assert (other.metric("latency_s") == one.metric("latency_s")).all()


def test_a_table_from_elsewhere_is_read_with_its_space(tmp_path: Path) -> None:
    a, b = read_tables(written(tmp_path), SMALL, ["machine"])
    assert a.environment == {"machine": "a"}
    assert [a.space.configuration(row) for row in a.codes] == [
        {"threads": 1, "mode": "plain"},
        {"threads": 4, "mode": "fused"},
    ]
    assert b.metric("latency_s").tolist() == [0.9]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"mode": ["plain", "fast", "plain"]},
            "column 'mode', data row 2: option 'mode' has no value 'fast'",
        ),
        ({"threads": [1, 8, 1]}, "column 'threads', data row 2: .* no value 8: use a number from 1 to 4"),
        ({"latency_s": [0.5, -0.2, 0.9]}, "metric 'latency_s' is -0.2 in data row 2"),
        ({"latency_s": [0.5, 0.2, float("nan")]}, "metric 'latency_s' is nan in data row 3"),
        ({"latency_s": [0.5, None, 0.9]}, "column 'latency_s' has no value in data row 2"),
        (
            {"latency_s": ["fast", "slow", "slow"]},
            "metric 'latency_s' is 'fast' in data row 1: give a number",
        ),
        ({"power": [1.0, 2.0, 3.0]}, "metric 'power' does not say its unit"),
        ({"mode": [["plain"], ["plain"], ["plain"]]}, "column 'mode' holds list in data row 1"),
    ],
)
def test_a_faulty_value_is_named_by_file_column_and_row(
    tmp_path: Path, changed: dict[str, list[Any]], message: str
) -> None:
    path = written(tmp_path, **changed)
    with pytest.raises(InvalidError, match=message) as caught:
        read_tables(path, SMALL, ["machine"])
    assert str(caught.value).startswith(f"{path}: ")


def test_repetitions_in_one_environment_that_disagree_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, machine=["a", "b", "a"])
    message = "'latency_s' is 0.5 in data row 1 and 0.9 in data row 3, which have the same configuration"
    with pytest.raises(InvalidError, match=message):
        read_tables(path, SMALL, ["machine"])


def test_a_broken_constraint_is_named_by_row(tmp_path: Path) -> None:
    table = measured(SPACE, "a", source_cost, SPACE.size, 0)
    write_tables([table], tmp_path / "t.parquet")
    with pytest.raises(InvalidError, match=r"data row \d+: the configuration breaks the constraint"):
        read_tables(tmp_path / "t.parquet", CONSTRAINED, ["machine"])


def test_a_missing_column_is_answered_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="no column 'host'; there is machine, threads, mode, latency_s"):
        read_tables(written(tmp_path), SMALL, ["host"])


def test_a_file_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="there is no such file"):
        read_tables(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("latency")
    with pytest.raises(InvalidError, match="not a Parquet file"):
        read_tables(tmp_path / "text.parquet")
    with pytest.raises(InvalidError, match="does not say which columns are options"):
        read_tables(written(tmp_path))


@pytest.mark.parametrize(
    ("description", "message"),
    [
        (b"{", "description is damaged"),
        (b"[]", "description is damaged"),
        (json.dumps({"format_version": 9}).encode(), "format version 9; this Pilotfish reads 1"),
        (json.dumps({"format_version": 1}).encode(), "description is damaged"),
        (
            json.dumps(
                {"format_version": 1, "environment": [], "space": {"options": [], "constraints": []}}
            ).encode(),
            "description is damaged .*no option",
        ),
    ],
)
def test_a_damaged_description_is_said(tmp_path: Path, description: bytes, message: str) -> None:
    content = pa.table(ROWS).replace_schema_metadata({b"pilotfish_table": description})
    pq.write_table(content, tmp_path / "t.parquet")
    with pytest.raises(InvalidError, match=message):
        read_tables(tmp_path / "t.parquet")


def test_tables_that_do_not_go_into_one_file_are_refused(tmp_path: Path) -> None:
    a = measured(SPACE, "a", source_cost, 5, 0)
    others = (
        (measured(CONSTRAINED, "b", source_cost, 5, 0), "different options or environment"),
        (PerformanceTable(SPACE, {"machine": "b"}, a.codes, {"power_w": np.ones(5)}), "different metrics"),
    )
    for other, message in others:
        with pytest.raises(InvalidError, match=message):
            write_tables([a, other], tmp_path / "t.parquet")
    with pytest.raises(InvalidError, match="several columns would be named 'threads'"):
        write_tables([PerformanceTable(SPACE, {"threads": "1"}, a.codes, a.metrics)], tmp_path / "t.parquet")
