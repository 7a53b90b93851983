"""What start, reload and close of the serving process do, with a program that scores nothing."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop
import yaml

from sidecar.config import load_config
from sidecar.core.errors import InvalidError, NotFoundError, UnavailableError
from sidecar.serving.app import Sidecar


@pytest.fixture(autouse=True)
def _scores_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexec cat > /dev/null\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))


def configuration(**sections: Any) -> dict[str, Any]:  # noqa: ANN401 - YAML
    candidates = [{"name": name, "profile": "p.st", "onnx": {"path": "m.onnx"}} for name in ("a", "b")]
    return {
        "endpoints": [{"name": "digits", "incumbent": "a", "candidates": candidates}],
        "serve": {"grpc": "127.0.0.1:0", "http": "127.0.0.1:0", "grace": "100ms"},
        **sections,
    }


def write(folder: Path, **sections: Any) -> Path:  # noqa: ANN401 - YAML
    path = folder / "pilotfish.yaml"
    path.write_text(yaml.safe_dump(configuration(**sections)))
    return path


def play(path: Path, talk: Callable[[Sidecar], Coroutine[None, None, None]]) -> None:
    async def all_of_it() -> None:
        sidecar = Sidecar(path, load_config(path))
        try:
            await talk(sidecar)
        finally:
            await sidecar.close()
            await sidecar.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(all_of_it())


def test_it_is_ready_from_start_to_close_and_closes_without_a_start(tmp_path: Path) -> None:
    async def talk(sidecar: Sidecar) -> None:
        assert sidecar._missing() == "not serving yet"
        await sidecar.start()
        assert sidecar._missing() == ""
        assert sidecar.grpc_port
        await sidecar.close()
        assert sidecar._missing()
        assert not sidecar._read().scoring_up

    async def nothing(_: Sidecar) -> None:
        pass

    play(write(tmp_path), talk)
    play(write(tmp_path), nothing)


@pytest.mark.parametrize("key", ["grpc", "http"])
def test_a_port_that_is_taken_is_named(tmp_path: Path, key: str) -> None:
    async def talk(sidecar: Sidecar) -> None:
        await sidecar.start()

    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        serve = {**configuration()["serve"], key: address}
        with pytest.raises(UnavailableError, match=f"serve.{key}.*{address}|{address}.*serve.{key}"):
            play(write(tmp_path, serve=serve), talk)


def test_a_changed_file_is_applied_and_one_that_needs_a_restart_is_refused(tmp_path: Path) -> None:
    async def talk(sidecar: Sidecar) -> None:
        await sidecar.start()
        before = sidecar.intake("digits")
        endpoint = configuration()["endpoints"][0]
        write(tmp_path, endpoints=[{**endpoint, "sample": {"fraction": 0.5}}, {**endpoint, "name": "more"}])
        await sidecar._reload()
        assert sidecar.intake("digits") is before
        assert before.sampling.fraction == 0.5
        assert sidecar._read().accounting.keys() == {"digits", "more"}
        write(tmp_path, traces={"ratio": 0.5})
        await sidecar._reload()
        reading = sidecar._read()
        assert (reading.reloads, reading.reload_failures, reading.refused) == (1, 1, True)
        assert reading.accounting.keys() == {"digits", "more"}
        write(tmp_path)
        await sidecar._reload()
        assert not sidecar._read().refused
        with pytest.raises(NotFoundError, match="more"):
            sidecar.intake("more")

    play(write(tmp_path), talk)


def test_candidates_that_come_and_go_reach_the_scoring_process(tmp_path: Path) -> None:
    for name in ("new.st", "new.onnx"):
        (tmp_path / name).touch()

    async def talk(sidecar: Sidecar) -> None:
        await sidecar.start()
        first = sidecar.register("digits", name="new", profile=Path("new.st"), onnx=Path("new.onnx"))
        assert [one.name for one in sidecar.endpoint("digits").candidates] == ["a", "b", "new"]
        assert sidecar.configured("digits") == {"a", "b"}
        sidecar.remove("digits", "new")
        assert sidecar.link._generation == first + 1
        with pytest.raises(InvalidError, match="incumbent"):
            sidecar.remove("digits", "a")

    play(write(tmp_path), talk)
