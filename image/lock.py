"""Locks what the image installs, with hashes, and lists it; with --check says what is out of date.

Locking asks the package index, through uv, for the newest versions that `pyproject.toml` allows and that
have wheels for both architectures. The check reads files only.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from image.sbom import bill_of_materials

HERE = Path(__file__).parent
ROOT = HERE.parent
RUN, BUILD, BILL = HERE / "requirements.lock", HERE / "build.lock", HERE / "sbom.cdx.json"
# Extras that the image has.
EXTRAS = ("otel",)
PLATFORMS = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28")
OLDEST, SHIPPED = "3.11", "3.12"
_PIN = re.compile(r"^(?P<name>[a-z0-9._-]+)==(?P<version>\S+)")


@dataclass(frozen=True, slots=True)
class Locked:
    """One package of a lock file.

    Attributes:
        name: normalised.
        version: the only one that is installed.
        sha256: of each file of that version.
        wanted_by: names of the packages that need it; the file it was asked for in stands there too.
    """

    name: str
    version: str
    sha256: tuple[str, ...]
    wanted_by: tuple[str, ...]


def read_lock(text: str) -> list[Locked]:
    """The packages of a lock file, in its order."""
    found = []
    for entry in re.split(r"\n(?=\S)", text):
        pin = _PIN.match(entry)
        if pin is None:
            continue
        hashes = re.findall(r"--hash=sha256:([0-9a-f]{64})", entry)
        named = [one for one in re.findall(r"(?m)^ +# +(?:via +)?(\S+)", entry) if one != "via"]
        found.append(Locked(canonicalize_name(pin["name"]), pin["version"], tuple(hashes), tuple(named)))
    return found


def faults(project: Mapping[str, Any], run: list[Locked], build: list[Locked], bill: str) -> Iterator[str]:
    """What the files say that `pyproject.toml` does not, or the other way round."""
    extras = [one for extra in EXTRAS for one in project["project"]["optional-dependencies"][extra]]
    wanted = [*project["project"]["dependencies"], *extras]
    yield from (f"{RUN.name}: {fault}" for fault in _unmet(wanted, run))
    yield from (f"{BUILD.name}: {fault}" for fault in _unmet(project["build-system"]["requires"], build))
    if bill != _bill(project, run):
        yield f"{BILL.name} does not list what {RUN.name} has"


def _unmet(wanted: list[str], locked: list[Locked]) -> Iterator[str]:
    pins = {one.name: one for one in locked}
    asked = {canonicalize_name(one.name): one for one in map(Requirement, wanted)}
    for name, requirement in asked.items():
        if name not in pins:
            yield f"{requirement} is not locked"
        elif pins[name].version not in requirement.specifier:
            yield f"{name} {pins[name].version} is locked, and {requirement} asked for"
    for one in locked:
        # Named by nobody in the file but the file that asks: it has to ask still.
        if not {canonicalize_name(name) for name in one.wanted_by} & pins.keys() and one.name not in asked:
            yield f"{one.name} is locked, and nothing needs it"
        if not one.sha256:
            yield f"{one.name} has no hash"


def _bill(project: Mapping[str, Any], run: list[Locked]) -> str:
    own = project["project"]
    packages = [(one.name, one.version, one.sha256, one.wanted_by) for one in run]
    bill = bill_of_materials(own["name"], own["version"], own["license"], packages)
    return json.dumps(bill, indent=1) + "\n"


def _uv(*options: str, given: str | None = None) -> str:
    command = ["uv", "pip", "compile", "--quiet", "--custom-compile-command", "make lock", *options]
    done = subprocess.run(command, cwd=ROOT, input=given, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    return done.stdout


def lock(project: Mapping[str, Any]) -> None:
    """Writes the three files.

    Raises:
        CalledProcessError: no versions fit together, or one has no wheel for a platform.
    """
    how = ("--universal", "--python-version", OLDEST, "--fork-strategy", "fewest", "--generate-hashes")
    extras = [f"--extra={extra}" for extra in EXTRAS]
    RUN.write_text(_uv("pyproject.toml", *extras, *how))
    BUILD.write_text(_uv("-", *how, given="\n".join(project["build-system"]["requires"])))
    BILL.write_text(_bill(project, read_lock(RUN.read_text())))
    for platform in PLATFORMS:
        for path in (RUN, BUILD):
            only = ("--only-binary", ":all:", "--python-platform", platform, "--python-version", SHIPPED)
            _uv(str(path), *only)


def main() -> None:
    """Locks anew, or fails naming every difference."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    if "--check" not in sys.argv:
        try:
            lock(project)
        except subprocess.CalledProcessError as error:
            raise SystemExit(error.stderr) from error
    run, build = read_lock(RUN.read_text()), read_lock(BUILD.read_text())
    if found := list(faults(project, run, build, BILL.read_text())):
        raise SystemExit("\n".join([*found, "run `make lock`"]))


if __name__ == "__main__":
    main()
