from __future__ import annotations

from pathlib import Path

from sidecar.tools.measuring.load import OtherPrograms


def stat(root: Path, *ticks: int) -> None:
    (root / "proc").mkdir(exist_ok=True)
    (root / "proc/stat").write_text(f"cpu  {' '.join(map(str, ticks))}\ncpu0 1 2 3\n")


def test_busy_and_stolen_time_counts_and_idle_time_does_not(tmp_path: Path) -> None:
    stat(tmp_path, *[0] * 10)
    others = OtherPrograms(tmp_path)
    # A billion ticks in a moment, so that what this process itself takes does not matter.
    stat(tmp_path, 0, 0, 0, 10**9, 10**9, 0, 0, 0, 0, 0)
    assert others.cores() == 0
    stat(tmp_path, 0, 0, 0, 0, 0, 0, 0, 10**9, 0, 0)
    assert others.cores() > 1
    stat(tmp_path, 10**9, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    assert others.cores() > 1


def test_guest_time_is_not_counted_twice(tmp_path: Path) -> None:
    stat(tmp_path, *[0] * 10)
    others = OtherPrograms(tmp_path)
    stat(tmp_path, 0, 0, 0, 0, 0, 0, 0, 0, 10**9, 10**9)
    assert others.cores() == 0


def test_where_nothing_tells_nobody_disturbs(tmp_path: Path) -> None:
    assert OtherPrograms(tmp_path).cores() == 0
