"""`pilotfish envoy`: prints what Envoy or Istio needs to send copies of calls here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias

import yaml
from cyclopts import Parameter

from sidecar.config import Config, load_config
from sidecar.config.schema import CAPTURES, FED_BY_ENVOY, CaptureSection, EnvoyFeed
from sidecar.config.units import read_address, split_address
from sidecar.core.errors import InvalidError
from sidecar.tools.cli.envoy import istio as mesh
from sidecar.tools.cli.envoy import static
from sidecar.tools.cli.options import Copied

_ANY = ("0.0.0.0", "::")  # noqa: S104 - compared with, not listened on


def _fed_by(feed: EnvoyFeed) -> str:
    return ", ".join(name for name in FED_BY_ENVOY if CAPTURES[name].envoy_feed is feed)


def _said_of_each() -> str:
    """What Envoy copies to each capture, for the help."""
    whats = (f"of requests{' and answers' if CAPTURES[name].sees_answers else ''}" for name in FED_BY_ENVOY)
    first, *others = (f"{name}: {what}." for name, what in zip(FED_BY_ENVOY, whats, strict=True))
    return " ".join((first.replace(": ", ": copies ", 1), *others))


if TYPE_CHECKING:
    # A checker knows no table.
    Fed: TypeAlias = str
else:
    Fed = Annotated[
        Literal[FED_BY_ENVOY],
        Parameter(help=f"Capture of the endpoint that Envoy feeds. {_said_of_each()}"),
    ]

_DEFAULT: Final = next(name for name in FED_BY_ENVOY if CAPTURES[name].sees_answers)
_Istio: TypeAlias = Annotated[
    bool,
    Parameter(
        negative="",
        help=f"Print an EnvoyFilter ({_fed_by(EnvoyFeed.EXT_PROC)}) or a VirtualService "
        f"({_fed_by(EnvoyFeed.MIRROR_POLICY)}) instead.",
    ),
]


def envoy(
    *,
    config: Path,
    upstream: str,
    listen: str | None = None,
    ready: str | None = None,
    capture: Fed = _DEFAULT,
    endpoint: str | None = None,
    pilotfish: str | None = None,
    fraction: Copied = 1.0,
    istio: _Istio = False,
    workload: str | None = None,
) -> None:
    """Prints the configuration of an Envoy that feeds Pilotfish, or Istio's resource for it, as YAML.

    Args:
        config: Configuration file of Pilotfish.
        upstream: HOST:PORT of the model server; with --istio, of its Kubernetes service.
        listen: HOST:PORT where Envoy takes the clients' calls. Not with --istio.
        ready: HOST:PORT where Envoy answers probes of /ready. Needs the capture's `envoy`. Not with --istio.
        capture: Capture of the endpoint that Envoy feeds.
        endpoint: Endpoint whose capture Envoy feeds, needed if several listen on their own addresses.
        pilotfish: HOST:PORT of the capture as Envoy reaches it. The default is the capture's `listen`, or
            127.0.0.1 if `listen` is every address.
        fraction: Share of the calls that Envoy copies, drawn at random, 0.000001..1. `sample` applies to the
            copied calls.
        istio: Print Istio's resource instead.
        workload: LABEL=VALUE of the model server's pods, for the EnvoyFilter. The default is app=NAME, with
            the name of the service in --upstream.
    """
    settings = capture_of(load_config(config), capture, endpoint)
    feed = settings.envoy_feed
    host, port = (
        split_address(settings.where) if pilotfish is None else read_address(pilotfish, "--pilotfish")
    )
    server = read_address(upstream, "--upstream")
    if istio:
        if pilotfish is None and feed is EnvoyFeed.MIRROR_POLICY:
            raise InvalidError(
                f"Istio mirrors to a service: name Pilotfish's with --pilotfish HOST:{port}, like "
                f"pilotfish.default.svc.cluster.local:{port}"
            )
        documents = (
            mesh.virtual_service(server, (host, port), fraction, capture=capture)
            if feed is EnvoyFeed.MIRROR_POLICY
            else mesh.envoy_filter(
                _workload(workload, server[0]), reachable(host, port), fraction, capture=capture
            )
        )
    else:
        if listen is None:
            raise InvalidError("Envoy needs an address for the clients' calls: add --listen HOST:PORT")
        if ready is not None and settings.envoy_admin is None:
            raise InvalidError(
                f"--ready asks Envoy's admin page: add `envoy: 127.0.0.1:9901` to the `{capture}` capture"
            )
        documents = static.bootstrap(
            read_address(listen, "--listen"),
            server,
            reachable(host, port),
            feed=feed,
            admin=None if settings.envoy_admin is None else split_address(settings.envoy_admin),
            ready=None if ready is None else read_address(ready, "--ready"),
            fraction=fraction,
        )
    print(yaml.safe_dump(documents, sort_keys=False), end="")  # noqa: T201 - the output


def capture_of(config: Config, capture: str, endpoint: str | None) -> CaptureSection:
    """The one capture that is meant.

    Raises:
        InvalidError: there is none, or more than one.
    """
    found = {
        one.name: way.settings
        for one in config.endpoints
        for way in one.capture
        if way.way == capture and endpoint in {None, one.name}
    }
    if not found:
        raise InvalidError(
            f"{f'endpoint {endpoint!r}' if endpoint else 'no endpoint'} has {'no' if endpoint else 'a'} "
            f"`{capture}` capture; add `capture: [{capture}: {{listen: 0.0.0.0:9001}}]`"
        )
    if len({settings.where for settings in found.values()}) > 1:
        raise InvalidError(f"{', '.join(sorted(found))} listen on addresses of their own: say --endpoint")
    return next(iter(found.values()))


def reachable(host: str, port: int) -> static.Address:
    """Where that is connected to from beside it."""
    return ("127.0.0.1" if host in _ANY else host), port


def _workload(label: str | None, service: str) -> tuple[str, str]:
    key, equals, value = (label or f"app={service.partition('.')[0]}").partition("=")
    if not (key and equals and value):
        raise InvalidError(f"--workload {label}: write LABEL=VALUE, like app=triton")
    return key, value
