"""Where an injected Pilotfish listens, and what follows from it: by its configuration, or by default."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sidecar.config import Config
from sidecar.config.schema import Listens, Serve
from sidecar.config.units import split_address
from sidecar.core.errors import InvalidError


@dataclass(frozen=True, slots=True)
class Listening:
    """What of a configuration matters to a pod.

    Attributes:
        grpc: port of the gRPC services.
        http: port of the metrics and the probes.
        captures: ports of the captures by name; those that only the pod itself reaches are `inside`.
        inside: ports on the loopback interface, which the pod's containers share.
        relays: whether requests pass through Pilotfish, or may do so.
        grace_s: seconds to finish open calls.
        known: whether a configuration was read.
    """

    grpc: int
    http: int
    captures: tuple[tuple[str, int], ...]
    inside: tuple[int, ...]
    relays: bool
    grace_s: int
    known: bool


def _default(*, relays: bool) -> Listening:
    serve = Serve()
    grpc, http = (split_address(address)[1] for address in (serve.grpc, serve.http))
    return Listening(grpc, http, (), (), relays, math.ceil(serve.grace), known=False)


# Of a configuration that is not at hand: whether it relays is known where Envoy sends it copies.
COPIES_BY_DEFAULT: Final = _default(relays=False)
PERHAPS_RELAYS: Final = _default(relays=True)


def listening(config: Config) -> Listening:
    """What of a configuration matters to a pod.

    Raises:
        InvalidError: Kubernetes could not reach it there.
    """
    grpc, http = (
        _outside(f"serve.{key}", address)
        for key, address in (("grpc", config.serve.grpc), ("http", config.serve.http))
    )
    captures: dict[int, str] = {}
    inside: set[int] = set()
    relays = False
    for way, host, port, relay in _captures(config):
        relays |= relay
        if port == 0:
            raise InvalidError(f"a `{way}` capture listens on port 0, any free one: name a port")
        if _loopback(host):
            inside.add(port)
        else:
            captures[port] = f"{way}-{port}"
    named = tuple((name, port) for port, name in sorted(captures.items()))
    return Listening(
        grpc, http, named, tuple(sorted(inside)), relays, math.ceil(config.serve.grace), known=True
    )


def _captures(config: Config) -> Iterator[tuple[str, str, int, bool]]:
    """Kind, host, port, and whether requests pass through it."""
    for capture in (one for endpoint in config.endpoints for one in endpoint.capture):
        if capture.settings.listens is Listens.ADDRESS:
            host, port = split_address(capture.settings.where)
            yield capture.way, host, port, capture.settings.relays


def _outside(key: str, address: str) -> int:
    host, port = split_address(address)
    if port == 0 or _loopback(host):
        raise InvalidError(
            f"{key} is {address}, which nothing outside the pod can reach: write 0.0.0.0 and a port"
        )
    return port


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
