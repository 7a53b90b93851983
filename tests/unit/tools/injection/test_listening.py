from __future__ import annotations

from typing import Any

import pytest

from sidecar.config.schema import Config
from sidecar.core.errors import InvalidError
from sidecar.tools.injection.ports import COPIES_BY_DEFAULT, PERHAPS_RELAYS, Listening, listening


def told(*captures: dict[str, Any], **serve: str) -> Listening:
    candidate = {"name": "a", "profile": "a", "onnx": {"path": "a"}}
    endpoint = {"name": "e", "incumbent": "a", "candidates": [candidate]}
    halves = [{**endpoint, "name": f"e{number}", "capture": [one]} for number, one in enumerate(captures)]
    return listening(Config.model_validate({"endpoints": halves or [endpoint], "serve": serve}))


def test_ports_are_those_of_the_configuration() -> None:
    found = told(
        {"proxy": {"listen": "0.0.0.0:9003"}},
        {"mirror": {"listen": "[::]:9001", "model": "a"}},
        {"mirror": {"listen": "[::]:9001", "model": "b"}},
        {"observer": {"listen": "127.0.0.1:9002"}},
        {"cloudevents": {}},
        grpc="0.0.0.0:7000",
        http="[::]:7001",
        grace="1500ms",
    )
    captures = (("mirror-9001", 9001), ("proxy-9003", 9003))
    assert found == Listening(7000, 7001, captures, (9002,), relays=True, grace_s=2, known=True)
    assert all(len(name) <= 15 for name, _ in captures)


@pytest.mark.parametrize(
    ("capture", "relays"),
    [
        ({"proxy": {"listen": "a:1"}}, True),
        ({"rest": {"listen": "a:1", "upstream": "b:1"}}, True),
        ({"mirror": {"listen": "a:1"}}, False),
        ({"observer": {"listen": "localhost:1"}}, False),
        ({"cloudevents": {}}, False),
    ],
)
def test_requests_pass_through_proxies_alone(capture: dict[str, Any], *, relays: bool) -> None:
    assert told(capture).relays == relays


def test_by_default_it_listens_where_the_schema_says() -> None:
    assert (told().grpc, told().http, told().grace_s) == (9500, 9400, 10)
    for known in (COPIES_BY_DEFAULT, PERHAPS_RELAYS):
        assert (known.grpc, known.http, known.grace_s, known.known) == (9500, 9400, 10, False)


@pytest.mark.parametrize(
    ("serve", "said"),
    [
        ({"http": "127.0.0.1:9400"}, "serve.http is 127.0.0.1:9400, which nothing outside the pod can reach"),
        ({"grpc": "[::1]:9500"}, "serve.grpc is"),
        ({"http": "localhost:9400"}, "write 0.0.0.0 and a port"),
        ({"grpc": "0.0.0.0:0"}, "serve.grpc is 0.0.0.0:0"),
    ],
)
def test_what_probes_cannot_reach_is_refused(serve: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidError, match=said):
        told(**serve)
