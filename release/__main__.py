"""Builds wheel, source distribution, image context, chart package and bill of materials."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import yaml

from release.archives import below, write_archive
from release.versions import faults, project_version

ROOT: Final = Path(__file__).parents[1]
# What .dockerignore lets through, and the Dockerfile itself.
_CONTEXT: Final = (
    "Dockerfile",
    ".dockerignore",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "image",
    "proto",
    "sidecar",
)
_CHART: Final = "helm/pilotfish"
# What .helmignore keeps out of the package.
_NOT_IN_CHART: Final = (f"{_CHART}/ci", f"{_CHART}/.helmignore")


def build(out: Path) -> None:
    """Writes all files of the release into a folder, and their checksums.

    Raises:
        SystemExit: the versions disagree, or git or hatchling fails; the message says what.
    """
    if found := list(faults(ROOT)):
        raise SystemExit("\n".join(found))
    version, made_at_s = project_version(ROOT), int(_git("log", "-1", "--format=%ct"))
    tracked = [name for name in _git("ls-files").splitlines() if (ROOT / name).is_file()]
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("pilotfish-*"):
        old.unlink()
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(made_at_s)}
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(out.absolute())]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - ours
    write_archive(
        out / f"pilotfish-{version}-image-context.tar.gz",
        {name: ROOT / name for name in below(tracked, *_CONTEXT)},
        made_at_s=made_at_s,
    )
    chart = yaml.safe_load((ROOT / _CHART / "Chart.yaml").read_text())["version"]
    packed = set(below(tracked, _CHART)) - set(below(tracked, *_NOT_IN_CHART))
    write_archive(
        out / f"pilotfish-chart-{chart}.tgz",
        {name.removeprefix("helm/"): ROOT / name for name in packed},
        made_at_s=made_at_s,
    )
    shutil.copyfile(ROOT / "image" / "sbom.cdx.json", out / f"pilotfish-{version}.sbom.cdx.json")
    _write_checksums(out)


def _write_checksums(out: Path) -> None:
    files = sorted(out.glob("pilotfish-*"))
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    (out / "SHA256SUMS").write_text("".join(lines))


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603, S607
    if done.returncode:
        raise SystemExit(
            f"git {words[0]} failed, and a release is built from a checkout: {done.stderr.strip()}"
        )
    return done.stdout


if __name__ == "__main__":
    build(Path(sys.argv[1] if len(sys.argv) > 1 else "dist"))
