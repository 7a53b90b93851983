from __future__ import annotations

import sys

import numpy as np
import pytest

from sidecar.core.errors import InvalidError
from sidecar.tools.cli.frontier.asked import asked
from sidecar.tools.cli.frontier.findings import find


def test_without_moocore_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "sidecar.estimation.frontier.hypervolume", raising=False)
    monkeypatch.setitem(sys.modules, "moocore", None)
    wanted = asked("good:max,cost:min", (), (), 0.9, None, None)
    values = np.array([[1.0, 2.0], [2.0, 1.0]])
    with pytest.raises(InvalidError, match=r"needs moocore.*pip install 'pilotfish\[frontier\]'"):
        find(["a", "b"], values, values[None], wanted, 0.9)
