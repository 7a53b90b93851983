from pathlib import Path

from sidecar.config.watch import FileWatch


def test_a_swapped_link_is_a_change_and_a_touch_is_none(tmp_path: Path) -> None:
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "c.yaml").write_text(version)
    link = tmp_path / "data"
    link.symlink_to("one")
    watch = FileWatch(link / "c.yaml")
    (tmp_path / "one" / "c.yaml").touch()
    assert not watch.changed()
    link.unlink()
    assert watch.changed()
    link.symlink_to("two")
    assert watch.changed()
    assert not watch.changed()
