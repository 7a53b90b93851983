"""The same as Istio's resources: its proxies are Envoys that stand beside the model server already."""

from __future__ import annotations

from sidecar.serving.capture.core.envoy_admin import CLUSTER
from sidecar.tools.cli.envoy.static import (
    EXT_PROC,
    MODEL_INFER,
    Address,
    Settings,
    cluster,
    drawn,
    observing,
    typed,
)

_MANAGER = "envoy.filters.network.http_connection_manager"
_COMPOSITE = "envoy.filters.http.composite"


def virtual_service(
    upstream: Address, pilotfish: Address, fraction: float = 1.0, *, capture: str
) -> Settings:
    """Routes to the model server's service and mirrors this fraction of the inferences to Pilotfish's."""
    percent = 100 if fraction == 1 else round(100 * fraction, 4)
    mirrored = {"mirror": _destination(pilotfish), "mirrorPercentage": {"value": percent}}
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": f"pilotfish-{capture}"},
        "spec": {
            "hosts": [upstream[0]],
            "http": [
                {"match": [{"uri": {"exact": MODEL_INFER}}], **_to(upstream), **mirrored},
                _to(upstream),
            ],
        },
    }


def envoy_filter(
    workload: tuple[str, str], pilotfish: Address, fraction: float = 1.0, *, capture: str
) -> Settings:
    """Puts a filter that observes this fraction of the calls into the proxies of the model server's pods."""
    observing_filter: Settings = {"name": EXT_PROC, **observing()}
    if fraction < 1:
        observing_filter = _at_times(observing_filter, fraction)
    inbound = {
        "context": "SIDECAR_INBOUND",
        "listener": {
            "filterChain": {"filter": {"name": _MANAGER, "subFilter": {"name": "envoy.filters.http.router"}}}
        },
    }
    return {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {"name": f"pilotfish-{capture}"},
        "spec": {
            "workloadSelector": {"labels": dict([workload])},
            "configPatches": [
                {
                    "applyTo": "CLUSTER",
                    "match": {"context": "SIDECAR_INBOUND"},
                    "patch": {"operation": "ADD", "value": cluster(CLUSTER, pilotfish)},
                },
                {
                    "applyTo": "HTTP_FILTER",
                    "match": inbound,
                    "patch": {"operation": "INSERT_BEFORE", "value": observing_filter},
                },
            ],
        },
    }


def _at_times(one: Settings, fraction: float) -> Settings:
    # Not by a second route, as without Istio: the routes are Istio's, under names that may change.
    execute = typed(
        "filters.http.composite.v3.ExecuteFilterAction", typed_config=one, sample_percent=drawn(fraction)
    )
    return {
        "name": _COMPOSITE,
        **typed(
            "common.matching.v3.ExtensionWithMatcher",
            extension_config={"name": _COMPOSITE, **typed("filters.http.composite.v3.Composite")},
            xds_matcher={"on_no_match": {"action": {"name": EXT_PROC, **execute}}},
        ),
    }


def _to(service: Address) -> Settings:
    return {"route": [{"destination": _destination(service)}]}


def _destination(service: Address) -> Settings:
    return {"host": service[0], "port": {"number": service[1]}}
