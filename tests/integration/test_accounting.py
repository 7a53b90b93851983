"""Every capture under load: the program that holds the accounting to its word, for a moment."""

from __future__ import annotations

import pytest

from benchmarks import accounting


@pytest.mark.timeout(300)
def test_every_request_is_accounted_for_in_every_capture(capsys: pytest.CaptureFixture[str]) -> None:
    # What rate is reached is the machine's; the program itself sends 2,000 a second for a minute.
    accounting.main(["--rate", "500", "--seconds", "1"])
    told = capsys.readouterr().out
    assert told.count("sent 500; seen 500") == told.count(": exact") == len(accounting.WAYS) == 5
    assert told.count("; 0 failed") == 5
