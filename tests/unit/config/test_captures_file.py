"""What a configuration may say of captures, and what is told about those that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.config import ConfigFaultsError, load_config

HEAD = """
endpoints:
  - name: digits
    capture:
"""
TAIL = """
    incumbent: a
    candidates: [{name: a, profile: a.safetensors, onnx: {path: a.onnx}}]
"""
SECOND = """
  - name: letters
    capture:
"""


def faults(tmp_path: Path, *captures: str) -> list[str]:
    path = tmp_path / "pilotfish.yaml"
    first, *others = ["".join(f"      - {line}\n" for line in one.splitlines()) for one in captures]
    path.write_text(HEAD + first + TAIL + "".join(SECOND + other + TAIL for other in others))
    try:
        load_config(path)
    except ConfigFaultsError as error:
        return [f"{fault.place}: {fault.message}" for fault in error.faults]
    return []


def test_an_endpoint_may_have_captures_of_every_kind(tmp_path: Path) -> None:
    every = (
        "proxy: {listen: 0.0.0.0:9001, upstream: 127.0.0.1:8001}\n"
        "rest: {listen: 0.0.0.0:9004, upstream: 127.0.0.1:8000}\n"
        "mirror: {listen: 0.0.0.0:9002, model: other}\n"
        "observer: {listen: 0.0.0.0:9003}\n"
        "cloudevents: {}"
    )
    assert faults(tmp_path, every) == []
    captures = load_config(tmp_path / "pilotfish.yaml").endpoints[0].capture
    assert [capture.way for capture in captures] == ["proxy", "rest", "mirror", "observer", "cloudevents"]
    assert captures[4].cloudevents is not None
    assert captures[4].cloudevents.path == "/events"


def test_endpoints_share_an_address_by_their_models(tmp_path: Path) -> None:
    for capture in ("mirror: {listen: 0.0.0.0:9002}", "cloudevents: {path: /kserve}"):
        assert faults(tmp_path, capture, capture) == []


@pytest.mark.parametrize(
    ("capture", "said"),
    [
        ("{}", "capture[0]: give one of proxy, rest, mirror, observer, cloudevents; given: none"),
        (
            "{mirror: {listen: 0.0.0.0:9001}, observer: {listen: 0.0.0.0:9002}}",
            "capture[0]: give one of proxy, rest, mirror, observer, cloudevents; given: mirror, observer",
        ),
        ("miror: {listen: 0.0.0.0:9001}", "capture[0].miror: unknown key; did you mean 'mirror'?"),
        ("mirror: {listen: 9001}", "capture[0].mirror.listen: Input should be a valid string"),
        ("mirror: {upstream: 0.0.0.0:1}", "capture[0].mirror.listen: Field required"),
        (
            "observer: {listen: 0.0.0.0:9500}",
            "capture[0].observer.listen: 0.0.0.0:9500 is the address of `serve.grpc` already",
        ),
        ("rest: {listen: 0.0.0.0:9001}", "capture[0].rest.upstream: Field required"),
        (
            "rest: {listen: 0.0.0.0:9001, upstream: 0.0.0.0:9001}",
            "capture[0].rest.upstream: 0.0.0.0:9001 would lead to itself; give the model server's address",
        ),
        (
            "rest: {listen: 0.0.0.0:9001, upstream: a:1}\nrest: {listen: 0.0.0.0:9001, upstream: a:2}",
            "capture[1].rest.upstream: 0.0.0.0:9001 already leads to a:1; give the same upstream",
        ),
        (
            "proxy: {listen: 0.0.0.0:9001, upstream: a:1}\nrest: {listen: 0.0.0.0:9001, upstream: a:1}",
            "capture[1].rest.listen: 0.0.0.0:9001 has a `proxy` already; choose another address",
        ),
        ("cloudevents: {path: /metrics}", "/metrics belongs to Pilotfish itself; choose another path"),
        ("cloudevents: {path: events}", "capture[0].cloudevents.path: String should match pattern"),
        (
            "mirror: {listen: 0.0.0.0:9001}\nobserver: {listen: 0.0.0.0:9001}",
            "capture[1].observer.listen: 0.0.0.0:9001 has a `mirror` already; choose another address",
        ),
        (
            "observer: {listen: 0.0.0.0:9001}\nobserver: {listen: 0.0.0.0:9001}",
            "capture[1].observer.model: 'digits' on 0.0.0.0:9001 is watched already; only one endpoint",
        ),
        (
            "cloudevents: {}\ncloudevents: {path: /events}",
            "capture[1].cloudevents.model: 'digits' on /events is watched already",
        ),
    ],
)
def test_faults_of_captures(tmp_path: Path, capture: str, said: str) -> None:
    assert any(said in fault for fault in faults(tmp_path, capture))


def test_endpoints_that_share_an_address_share_its_envoy(tmp_path: Path) -> None:
    one, other = (f"mirror: {{listen: 0.0.0.0:9002, envoy: 127.0.0.1:{port}}}" for port in (9901, 9902))
    assert faults(tmp_path, one, one) == []
    said = "capture[0].mirror.envoy: 0.0.0.0:9002 already asks the Envoy 127.0.0.1:9901; name the same Envoy"
    assert faults(tmp_path, one, other) == [f"endpoints[1].{said}"]
