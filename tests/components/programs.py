"""Programs that the environment names: a test that needs one fails without it, and says how to get it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def named(variable: str, what: str) -> Path:
    """The file or folder that an environment variable names.

    Args:
        variable: PILOTFISH_...
        what: it is, and where it comes from.
    """
    path = Path(os.environ.get(variable) or "/nowhere")
    if not path.exists():
        pytest.fail(f"{variable} must name {what}, and is {path}: run `make test-components`, which sets it")
    return path
