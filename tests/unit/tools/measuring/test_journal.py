from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sidecar.core.errors import InvalidError
from sidecar.tools.measuring.journal import Journal
from sidecar.tools.measuring.observation import Observation

WORK: dict[str, Any] = {"configurations": [{"batch_size": 1}], "rounds": 5}
SEEN = Observation({"latency_p50_s": 0.25}, 0.5)


def written(out: Path) -> Journal:
    with Journal(out, WORK) as journal:
        journal.observed(0, 3, SEEN)
        journal.failed(4, "no such provider")
    return journal


def test_the_next_run_finds_what_the_last_one_wrote(tmp_path: Path) -> None:
    written(tmp_path / "t.parquet")
    again = Journal(tmp_path / "t.parquet", WORK)
    assert again.observations == {(0, 3): SEEN}
    assert again.failures == {4: "no such provider"}


def test_every_cut_through_the_file_leaves_a_journal_that_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "t.parquet"
    path = written(out).path
    whole = path.read_bytes()
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        with Journal(out, WORK) as journal:
            assert set(journal.observations) <= {(0, 3)}
            journal.observed(1, 0, SEEN)
        assert (1, 0) in Journal(out, WORK).observations


def test_a_journal_of_other_work_is_not_continued(tmp_path: Path) -> None:
    written(tmp_path / "t.parquet")
    with pytest.raises(InvalidError, match="other work"):
        Journal(tmp_path / "t.parquet", {**WORK, "rounds": 6})


@pytest.mark.parametrize("content", ["nonsense\n", "[]\n{}\n", '{"a": 1}\n'])
def test_what_is_no_journal_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "t.parquet.unfinished").write_text(content)
    with pytest.raises(InvalidError, match="remove"):
        Journal(tmp_path / "t.parquet", WORK)


def test_nothing_is_left_when_the_work_is_done(tmp_path: Path) -> None:
    written(tmp_path / "t.parquet").remove()
    assert not list(tmp_path.iterdir())
