"""What benchmarks.performance_models reads of files with other environments, and its figures by hand."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.performance_models.families import deeparch, nasbench, tx2, unicorn
from benchmarks.performance_models.judge import Score, judge, median_figures
from sidecar.estimation.performance.source import Source

FREQUENCIES, CORES = (300, 600, 1200, 2400), (0, 1)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def write(path: Path, columns: dict[str, list[Any]]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


@pytest.fixture
def board(tmp_path: Path) -> Path:
    rows = [
        {
            "model_name": "newnet",
            "size": size,
            "core_freq": frequency,
            "gpu_freq": other,
            "core1_status": core,
            "core0_status": 1,
            "inference_time": area * (1000 / frequency + 300 / other) / (1 + core),
            "power_consumption": 1000.0 + frequency + core * 500 * area,
        }
        for (size, area), frequency, other, core in product(
            (("100x100", 1.0), ("300x300", 9.0)), FREQUENCIES, FREQUENCIES, CORES
        )
    ]
    return write(tmp_path / "tx2.parquet", {name: [row[name] for row in rows] for name in rows[0]})


def test_a_board_with_other_models_is_read(board: Path) -> None:
    family = tx2([board], 30, rng())
    assert set(family.tables) == {"newnet 100x100", "newnet 300x300"}
    assert family.tables["newnet 100x100"].space.names == ("core_freq", "gpu_freq", "core1_status")
    assert [transfer.group for transfer in family.transfers] == ["newnet", "newnet"]
    assert family.tables["newnet 100x100"].metric("power_w")[0] == pytest.approx(1.3)


def test_every_strategy_is_judged_on_rows_that_none_of_them_saw(board: Path) -> None:
    family = tx2([board], 30, rng())
    source = Source.learn(family.tables["newnet 100x100"], "time_s")
    target = family.tables["newnet 300x300"]
    scores = judge([source], target, "time_s", ["linear_shift", "guided", "log_ratio_gp"], (5, 80), seed=0)
    assert set(scores) == {5}
    assert set(scores[5]) == {"chooser", "linear_shift", "guided", "log_ratio_gp"}
    # Times are those of the source times nine.
    assert scores[5]["linear_shift"].mape < 0.5
    assert scores[5]["chooser"].spearman == pytest.approx(1, abs=0.01)


def test_one_hot_options_become_options(tmp_path: Path) -> None:
    files = []
    for name in ("here", "there"):
        values = np.arange(40) % 3
        columns: dict[str, list[Any]] = {
            f"freq@{value}": (values == value).astype(int).tolist() for value in range(3)
        }
        columns |= {f"swap@{value}": (np.arange(40) % 2 == value).astype(int).tolist() for value in (0, 1)}
        columns |= {
            "inference_time": (1.0 + values).tolist(),
            "total_energy_consumption": (2.0 + values).tolist(),
        }
        files.append(write(tmp_path / f"unicorn_{name}.parquet", columns))
    family = unicorn(files, 30, rng())
    assert set(family.tables) == {"here", "there"}
    table = family.tables["here"]
    assert table.space.configuration(table.codes[4]) == {"freq": 1.0, "swap": 0.0}
    assert table.metric("energy_j")[4] == pytest.approx(0.003)


def test_architectures_become_one_option_per_edge(tmp_path: Path) -> None:
    names = [f"|{a}~0|+|{b}~0|{a}~1|" for a, b in product(("conv", "skip"), repeat=2)]
    devices = {f"board{number}": [1.0, 2.0, 3.0, 4.0 + number] for number in range(4)}
    file = write(tmp_path / "help_nasbench201.parquet", {"architecture": names, **devices})
    family = nasbench([file], 30, rng())
    assert len(family.tables["board0"].space.names) == 3
    assert len(family.transfers) == 2
    assert all(len(transfer.sources) == 2 for transfer in family.transfers)


def test_configurations_are_joined_by_their_number(tmp_path: Path) -> None:
    files = [
        write(tmp_path / "deeparch_configurations.parquet", {"config_id": [1, 2], "option0": [0.0, 1.0]}),
        write(
            tmp_path / "deeparch.parquet",
            {
                "hardware": ["a", "b"],
                "dataset": ["x", "x"],
                "config_id": [2, 1],
                "inference_time": [5.0, 6.0],
            },
        ),
    ]
    family = deeparch(files, 30, rng())
    assert family.tables["a x"].codes.tolist() == [[1.0]]
    assert family.tables["b x"].codes.tolist() == [[0.0]]


def test_figures_are_medians_over_transfers_of_medians_over_seeds() -> None:
    def scores(*errors: float) -> list[Score]:
        return [Score(error, error, None, 0.9, error) for error in errors]

    figures = median_figures([scores(1, 2, 9), scores(4, 4, 4), scores(50, 60, 70)])
    assert figures["mape"] == 4
    assert figures["spearman"] is None
    assert figures["coverage"] == pytest.approx(0.9)
