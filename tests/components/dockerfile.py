"""Carries out a Dockerfile's steps in folders, as far as ours has them: no Docker engine is at hand.

A base image is a folder with a system in it, a stage is a copy of that. RUN happens in the copy by chroot, as
root, with this machine's network. What a step has that is not known here is an error, never skipped.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

# Of this machine, seen by RUN alone: how names are resolved, packages found, and servers trusted.
MACHINE = (
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/pip.conf",
    "/etc/xdg/pip",
    "/etc/ssl/certs/ca-certificates.crt",
)
_NETWORK = re.compile(r"(?i)PIP_.*|.*_PROXY|.*CERT.*|.*CA_BUNDLE.*")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(slots=True)
class Stage:
    """A root folder, and how a container of it is run."""

    root: Path
    args: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=lambda: {"PATH": PATH})
    workdir: str = "/"
    user: str = "0:0"
    entrypoint: list[str] = field(default_factory=list)
    cmd: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)


def steps(text: str) -> Iterator[tuple[str, dict[str, str], str]]:
    """Every step: its name, its options, and the rest as it stands there."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    for step in re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines():
        name, _, rest = step.partition(" ")
        options = {}
        while option := re.match(r"--([a-z-]+)=(\S+)\s+", rest):
            options[option[1]] = option[2]
            rest = rest[option.end() :]
        yield name, options, rest


def build(dockerfile: Path, base: Path, context: Path, folder: Path) -> Stage:
    """The last stage, every step of the Dockerfile done.

    Args:
        dockerfile: the file.
        base: the system that stands for the base image, whatever the file names.
        context: where COPY finds files.
        folder: where the stages are made.
    """
    outer: dict[str, str] = {}
    stages: dict[str, Stage] = {}
    stage: Stage | None = None
    for name, options, rest in steps(dockerfile.read_text()):
        if name == "FROM":
            label = rest.partition(" AS ")[2] or "last"
            stage = stages[label] = Stage(folder / label)
            subprocess.run(["cp", "--archive", base, stage.root], check=True)  # noqa: S607, S603 - a copy
        elif stage is None:
            outer.update(_default(name, rest))
        else:
            _do(stage, name, options, rest, context, stages)
    assert stage is not None, "a Dockerfile has a FROM"
    return stage


def _default(name: str, rest: str) -> dict[str, str]:
    assert name == "ARG", f"{name} before the first FROM"
    key, _, value = rest.partition("=")
    return {key: value}


def _do(
    stage: Stage, name: str, options: Mapping[str, str], rest: str, context: Path, stages: Mapping[str, Stage]
) -> None:
    match name:
        case "ARG":
            stage.args.update(_default(name, rest))
        case "ENV":
            for word in shlex.split(rest):
                key, _, value = word.partition("=")
                stage.env[key] = re.sub(r"\$\{?(\w+)\}?", lambda found: stage.env[found[1]], value)
        case "USER":
            stage.user = rest
        case "WORKDIR":
            stage.workdir = rest
            (stage.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        case "RUN":
            _run(stage, rest)
        case "COPY":
            *sources, target = rest.split()
            origin = stages[options["from"]].root if "from" in options else context
            for source in sources:
                _copy(stage, origin, source, target, ignoring="from" not in options)
        case "ENTRYPOINT" | "CMD" | "HEALTHCHECK":
            setattr(stage, name.lower(), json.loads(rest.removeprefix("CMD ")))
        case _:
            assert name == "EXPOSE", f"this builder knows no {name}"


def _copy(stage: Stage, origin: Path, source: str, target: str, *, ignoring: bool) -> None:
    found = origin / source.lstrip("/")
    if ignoring:
        assert source.partition("/")[0] in _included(origin), f"{source} is left out by .dockerignore"
    to = stage.root / (target if target.startswith("/") else f"{stage.workdir}/{target}").lstrip("/")
    if found.is_dir():
        skip = shutil.ignore_patterns("__pycache__") if ignoring else None
        shutil.copytree(found, to, symlinks=True, ignore=skip, dirs_exist_ok=True)
    else:
        to = to / found.name if target.endswith("/") else to
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(found, to)


def _included(context: Path) -> set[str]:
    """What our .dockerignore, which first leaves out everything, takes in again."""
    first, *lines = (context / ".dockerignore").read_text().split()
    assert first == "*"
    assert all(line.startswith("!") or line == "**/__pycache__" for line in lines)
    return {line[1:] for line in lines if line.startswith("!")}


def _run(stage: Stage, command: str) -> None:
    mounts = [["-t", "proc", "proc", f"{stage.root}/proc"]]
    for path in filter(Path.exists, map(Path, MACHINE)):
        to = stage.root / path.relative_to("/")
        if path.is_dir():
            to.mkdir(parents=True, exist_ok=True)
        else:
            to.parent.mkdir(parents=True, exist_ok=True)
            to.touch()
        mounts.append(["--bind", str(path), str(to)])
    mounted = " && ".join(shlex.join(["mount", *mount]) for mount in mounts)
    script = f'{mounted} && exec chroot "$0" /bin/sh -ec "$1"'
    inside = f"cd {shlex.quote(stage.workdir)} && {command}"
    network = {name: value for name, value in os.environ.items() if _NETWORK.fullmatch(name)}
    subprocess.run(  # noqa: S603 - the Dockerfile's own
        ["unshare", "--mount", "--pid", "--fork", "sh", "-ec", script, stage.root, inside],  # noqa: S607
        env={"HOME": "/root", **network, **stage.args, **stage.env},
        check=True,
    )
