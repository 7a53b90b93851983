"""The same as Istio's resources: its proxies are Envoys that stand beside the model server already."""

from __future__ import annotations

from sidecar.capture.envoy_admin import CLUSTER
from sidecar.cli.envoy.static import EXT_PROC, MODEL_INFER, Address, Settings, cluster, observing

_MANAGER = "envoy.filters.network.http_connection_manager"


def virtual_service(upstream: Address, pilotfish: Address) -> Settings:
    """Routes to the model server's service and mirrors inferences to Pilotfish's."""
    mirrored = {"mirror": _destination(pilotfish), "mirrorPercentage": {"value": 100}}
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "pilotfish-mirror"},
        "spec": {
            "hosts": [upstream[0]],
            "http": [
                {"match": [{"uri": {"exact": MODEL_INFER}}], **_to(upstream), **mirrored},
                _to(upstream),
            ],
        },
    }


def envoy_filter(workload: tuple[str, str], pilotfish: Address) -> Settings:
    """Puts the observing filter into the proxies of the model server's pods."""
    inbound = {
        "context": "SIDECAR_INBOUND",
        "listener": {
            "filterChain": {"filter": {"name": _MANAGER, "subFilter": {"name": "envoy.filters.http.router"}}}
        },
    }
    return {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {"name": "pilotfish-observer"},
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
                    "patch": {"operation": "INSERT_BEFORE", "value": {"name": EXT_PROC, **observing()}},
                },
            ],
        },
    }


def _to(service: Address) -> Settings:
    return {"route": [{"destination": _destination(service)}]}


def _destination(service: Address) -> Settings:
    return {"host": service[0], "port": {"number": service[1]}}
