"""Envoy's own configuration: a bootstrap file with everything in it, and the parts that Istio shares."""

from __future__ import annotations

import ipaddress
from typing import Any, Final, TypeAlias

from sidecar.config.schema import EnvoyFeed
from sidecar.serving.capture.core.envoy_admin import CLUSTER

Address: TypeAlias = tuple[str, int]
Settings: TypeAlias = dict[str, Any]  # what becomes YAML

MODEL_INFER: Final = "/inference.GRPCInferenceService/ModelInfer"
EXT_PROC: Final = "envoy.filters.http.ext_proc"
_UPSTREAM: Final = "model_server"
_ADMIN: Final = "admin"
_READY: Final = "/ready"
_TYPES: Final = "type.googleapis.com/envoy.extensions"
# Envoy's default of 1024 loses calls without a sign: of the observer's streams about half at full load.
_MAX_REQUESTS: Final = 100_000


def bootstrap(
    listen: Address,
    upstream: Address,
    pilotfish: Address,
    *,
    feed: EnvoyFeed | None,
    admin: Address | None,
    ready: Address | None = None,
    fraction: float = 1.0,
) -> Settings:
    """A whole configuration: one listener for gRPC in front of one model server.

    Args:
        listen: where clients connect.
        upstream: the model server.
        pilotfish: the capture's address.
        feed: how the capture is sent copies; None: it is sent none.
        admin: Envoy's admin page, or none.
        ready: where probes ask whether Envoy is ready, which the admin page knows; or none.
        fraction: of the calls that is copied, 0.000001..1.
    """
    infer: Settings = {"match": {"path": MODEL_INFER}, "route": _route()}
    rest: Settings = {"match": {"prefix": "/"}, "route": _route()}
    if fraction < 1:
        # A call that is not drawn falls to the other route, which copies nothing.
        infer["match"]["runtime_fraction"] = drawn(fraction)
    filters = [_router()]
    if feed is EnvoyFeed.MIRROR_POLICY:
        infer["route"]["request_mirror_policies"] = [{"cluster": CLUSTER}]
    elif feed is EnvoyFeed.EXT_PROC:
        filters.insert(0, {"name": EXT_PROC, **observing()})
        off = {"@type": f"{_TYPES}.filters.http.ext_proc.v3.ExtProcPerRoute", "disabled": True}
        rest["typed_per_filter_config"] = {EXT_PROC: off}
    # A streaming call may be silent for as long as it likes.
    listeners = [_listener("v2", listen, [infer, rest], filters, stream_idle_timeout="0s")]
    clusters = [cluster(_UPSTREAM, upstream), cluster(CLUSTER, pilotfish)]
    if admin and ready:
        # The admin page can do more than tell: nobody outside reaches it.
        ask: Settings = {"match": {"path": _READY}, "route": {"cluster": _ADMIN}}
        listeners.append(_listener(_READY.strip("/"), ready, [ask], [_router()]))
        clusters.append(cluster(_ADMIN, admin, http2=False))
    return {
        **({"admin": {"address": _socket(admin)}} if admin else {}),
        "static_resources": {"listeners": listeners, "clusters": clusters},
    }


def drawn(fraction: float) -> Settings:
    """The chance that Envoy draws a call with."""
    return {"default_value": {"numerator": round(fraction * 1e6), "denominator": "MILLION"}}


def observing() -> Settings:
    """The filter that tells of calls and answers and waits for nothing."""
    return typed(
        "filters.http.ext_proc.v3.ExternalProcessor",
        grpc_service={"envoy_grpc": {"cluster_name": CLUSTER}},
        observability_mode=True,
        failure_mode_allow=True,
        # How long after its call a stream may stay open to tell the rest: at 0.2 s large answers were cut
        # off. Pilotfish ends each stream as soon as it knows enough, so that few ever wait for this.
        deferred_close_timeout="5s",
        processing_mode={
            "request_header_mode": "SEND",
            "request_body_mode": "STREAMED",
            "request_trailer_mode": "SKIP",
            "response_header_mode": "SEND",
            "response_body_mode": "STREAMED",
            "response_trailer_mode": "SEND",
        },
    )


def cluster(name: str, address: Address, *, http2: bool = True) -> Settings:
    """A cluster of one server, by default of gRPC."""
    grpc = {
        "@type": f"{_TYPES}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    options = {
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": grpc}
    }
    thresholds = {"max_requests": _MAX_REQUESTS, "max_pending_requests": _MAX_REQUESTS}
    return {
        "name": name,
        "type": "STATIC" if _is_number(address[0]) else "STRICT_DNS",
        "connect_timeout": "1s",
        **(options if http2 else {}),
        "circuit_breakers": {"thresholds": [thresholds]},
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _socket(address)}}]}],
        },
    }


def typed(kind: str, **settings: Any) -> Settings:  # noqa: ANN401 - what becomes YAML
    """The settings of an extension, by its kind."""
    return {"typed_config": {"@type": f"{_TYPES}.{kind}", **settings}}


def _listener(
    name: str,
    address: Address,
    routes: list[Settings],
    filters: list[Settings],
    **settings: Any,  # noqa: ANN401 - what becomes YAML
) -> Settings:
    manager = typed(
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=name,
        **settings,
        route_config={"virtual_hosts": [{"name": name, "domains": ["*"], "routes": routes}]},
        http_filters=filters,
    )
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", **manager}]}
    return {"name": name, "address": _socket(address), "filter_chains": [chain]}


def _router() -> Settings:
    return {"name": "envoy.filters.http.router", **typed("filters.http.router.v3.Router")}


def _route() -> Settings:
    # Without this Envoy would end every call after 15 s; clients have deadlines of their own.
    return {"cluster": _UPSTREAM, "timeout": "0s"}


def _socket(address: Address) -> Settings:
    return {"socket_address": {"address": address[0], "port_value": address[1]}}


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
