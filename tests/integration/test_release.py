"""`make release`: what is built, that it is complete, and that the same commit gives the same files."""

from __future__ import annotations

import hashlib
import re
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from release.__main__ import ROOT, build
from release.archives import write_archive
from release.versions import faults, project_version

VERSION = project_version(ROOT)


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build(folder)
    return folder


def names(archive: Path) -> set[str]:
    with tarfile.open(archive) as opened:
        return set(opened.getnames())


def test_all_files_are_there_with_their_checksums(dist: Path) -> None:
    wanted = {
        f"pilotfish-{VERSION}-py3-none-any.whl",
        f"pilotfish-{VERSION}.tar.gz",
        f"pilotfish-{VERSION}-image-context.tar.gz",
        f"pilotfish-chart-{VERSION}.tgz",
        f"pilotfish-{VERSION}.sbom.cdx.json",
    }
    sums = dict(line.split("  ")[::-1] for line in (dist / "SHA256SUMS").read_text().splitlines())
    assert set(sums) == wanted == {path.name for path in dist.iterdir()} - {"SHA256SUMS"}
    for name, digest in sums.items():
        assert hashlib.sha256((dist / name).read_bytes()).hexdigest() == digest


def test_the_wheel_has_the_program_and_the_protos_and_nothing_of_the_workshop(dist: Path) -> None:
    with zipfile.ZipFile(dist / f"pilotfish-{VERSION}-py3-none-any.whl") as wheel:
        found = set(wheel.namelist())
    assert {"sidecar/serving/app.py", "pilotfish/v1/ranking_pb2.py"} <= found
    assert {name.split("/")[0] for name in found} == {
        "sidecar",
        "pilotfish",
        f"pilotfish-{VERSION}.dist-info",
    }


def test_the_source_has_the_pages_and_the_examples_and_nothing_that_was_built(dist: Path) -> None:
    found = names(dist / f"pilotfish-{VERSION}.tar.gz")
    inside = f"pilotfish-{VERSION}"
    assert {
        f"{inside}/{name}" for name in ("docs/tutorial.md", "examples/torch-image/train.py", "Makefile")
    } <= found
    assert not [
        name for name in found if "generated/" in name or "docs/_build" in name or "__pycache__" in name
    ]


def test_the_context_has_all_that_the_dockerfile_copies(dist: Path) -> None:
    found = names(dist / f"pilotfish-{VERSION}-image-context.tar.gz")
    for line in re.findall(r"(?m)^COPY (?!--)(.+)$", (ROOT / "Dockerfile").read_text()):
        for source in line.split()[:-1]:
            assert any(name == source or name.startswith(f"{source}/") for name in found), source
    assert "Dockerfile" in found


def test_the_chart_package_has_the_chart_without_its_tests(dist: Path) -> None:
    found = names(dist / f"pilotfish-chart-{VERSION}.tgz")
    assert {"pilotfish/Chart.yaml", "pilotfish/values.schema.json", "pilotfish/files/dashboard.json"} <= found
    assert not [name for name in found if name.startswith("pilotfish/ci/")]


def test_the_same_commit_gives_the_same_files(dist: Path, tmp_path: Path) -> None:
    build(tmp_path)
    assert (tmp_path / "SHA256SUMS").read_text() == (dist / "SHA256SUMS").read_text()


def test_an_archive_does_not_know_when_and_by_whom_it_was_made(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("content")
    write_archive(tmp_path / "a.tar.gz", {"file": file}, made_at_s=1)
    file.touch()
    write_archive(tmp_path / "b.tar.gz", {"file": file}, made_at_s=1)
    assert (tmp_path / "a.tar.gz").read_bytes() == (tmp_path / "b.tar.gz").read_bytes()
    with tarfile.open(tmp_path / "a.tar.gz") as archive:
        entry = archive.getmember("file")
    assert (entry.mtime, entry.uid, entry.uname) == (1, 0, "")


def test_versions_agree() -> None:
    assert list(faults(ROOT)) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        (
            "helm/pilotfish/Chart.yaml",
            f'appVersion: "{VERSION}"',
            'appVersion: "9.9.9"',
            "appVersion is 9.9.9",
        ),
        ("CHANGELOG.md", "## Unreleased", "## Later", "the first section is not `Unreleased`"),
        ("CHANGELOG.md", f"## {VERSION}", "## 0.0.9", f"has no section {VERSION}"),
    ],
)
def test_versions_that_disagree_are_told(tmp_path: Path, file: str, old: str, new: str, told: str) -> None:
    for name in ("pyproject.toml", "CHANGELOG.md", "helm/pilotfish/Chart.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    changed = tmp_path / file
    assert old in changed.read_text()
    changed.write_text(changed.read_text().replace(old, new))
    assert told in "\n".join(faults(tmp_path))
