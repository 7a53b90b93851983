"""`pilotfish ranking` against a running sidecar: what it prints and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar.core.errors import InvalidError, NotFoundError, UnavailableError
from sidecar.tools.cli import app
from tests.support.models import DigitsModels
from tests.support.running_sidecar import ENDPOINT, WAIT_S, RunningSidecar, running, write_profiles


@pytest.fixture(scope="module")
def sidecar(
    digits_models: DigitsModels, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningSidecar]:
    folder = tmp_path_factory.mktemp("ranking")
    write_profiles(digits_models, folder)
    with running(folder) as sidecar:
        yield sidecar


def ask(sidecar: RunningSidecar, endpoint: str, *words: str, timeout_s: float = WAIT_S) -> None:
    address = f"127.0.0.1:{sidecar.sidecar.grpc_port}"
    options = ["--address", address, "--timeout", str(timeout_s), *words]
    assert app(["ranking", "--endpoint", endpoint, *options], exit_on_error=False) == 0


def test_it_prints_what_the_sidecar_ranks(
    sidecar: RunningSidecar, digits_models: DigitsModels, capsys: pytest.CaptureFixture[str]
) -> None:
    # The first one waits for the first round.
    ask(sidecar, ENDPOINT, "--format", "json")
    assert json.loads(capsys.readouterr().out)["state"] == "STATE_INSUFFICIENT_DATA"

    sidecar.send(digits_models.validation["rotated"][:300])
    sidecar.ranking_when(lambda ranking: ranking.items == 300)
    ask(sidecar, ENDPOINT, "--format", "json")
    document = json.loads(capsys.readouterr().out)
    assert document["items"] == 300
    assert document["candidates"][0]["name"] == "rotated"
    ask(sidecar, ENDPOINT)
    table = capsys.readouterr().out
    assert "300 items" in table
    assert "upright *" in table


def test_what_does_not_exist_is_told_with_what_does(sidecar: RunningSidecar) -> None:
    with pytest.raises(NotFoundError, match=r"no endpoint 'letters'; there are: digits"):
        ask(sidecar, "letters")
    with pytest.raises(NotFoundError, match="no segment 'eu'"):
        ask(sidecar, ENDPOINT, "--segment", "eu")


def test_nobody_there_is_told_with_the_address() -> None:
    words = ["ranking", "--endpoint", ENDPOINT, "--timeout", "0.2"]
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:1 gave no ranking within 0\.2 s"):
        app([*words, "--address", "127.0.0.1:1"], exit_on_error=False)
    with pytest.raises(InvalidError, match="is not an address; write HOST:PORT"):
        app([*words, "--address", Path(__file__).name], exit_on_error=False)
