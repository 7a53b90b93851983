"""The ways in for an endpoint's traffic."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from sidecar.config.schema.section import Section
from sidecar.config.units import Address

# Of the HTTP port.
PATHS = ("/metrics", "/healthz", "/readyz")


_MODEL = "model name in the requests to sample; default: the endpoint's name"


_ENVOY = (
    "HOST:PORT of Envoy's admin page, where copies that it could not send are counted; default: not asked"
)


class Proxy(Section):
    """The built-in proxy: relays every byte to `upstream` and reads along."""

    listen: Address = Field(description="where clients connect")
    upstream: Address | None = Field(
        default=None, description="the model server; without one the incumbent answers through onnxruntime"
    )
    model: str | None = Field(default=None, description=_MODEL)


class Rest(Section):
    """The built-in proxy for HTTP/1.1: clients of `/v2/models/NAME/infer`."""

    listen: Address = Field(description="where clients connect")
    upstream: Address = Field(description="the model server's HTTP port")
    model: str | None = Field(default=None, description=_MODEL)


class Mirror(Section):
    """Takes copies of the requests, from Envoy's `request_mirror_policies` or Istio's `mirror`."""

    listen: Address = Field(description="where the copies are sent")
    envoy: Address | None = Field(default=None, description=_ENVOY)
    model: str | None = Field(default=None, description=_MODEL)


class Observer(Section):
    """Takes copies of requests and answers, from Envoy's `ext_proc` filter in observability mode."""

    listen: Address = Field(description="where the filter sends them")
    envoy: Address | None = Field(default=None, description=_ENVOY)
    model: str | None = Field(default=None, description=_MODEL)


def _free_path(path: str) -> str:
    if path in PATHS:
        raise ValueError(f"{path} is Pilotfish's own; name another")
    return path


class CloudEvents(Section):
    """Takes copies of requests and answers, from KServe's logger, on the HTTP port."""

    path: Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9._~/-]*$"), AfterValidator(_free_path)] = (
        Field(default="/events", description="of the URL that the logger posts to")
    )
    model: str | None = Field(
        default=None,
        description="`inferenceservicename` of the events to sample; default: the endpoint's name",
    )


class Capture(Section):
    """One way in for an endpoint's traffic: just one of these."""

    proxy: Proxy | None = Field(default=None, description="the built-in proxy")
    rest: Rest | None = Field(default=None, description="the built-in proxy, for HTTP/1.1")
    mirror: Mirror | None = Field(default=None, description="copies of requests")
    observer: Observer | None = Field(default=None, description="copies of requests and answers, from Envoy")
    cloudevents: CloudEvents | None = Field(
        default=None, description="copies of requests and answers, from KServe"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(ways) != 1:
            known = ", ".join(type(self).model_fields)
            raise ValueError(f"give one of {known}; there is {', '.join(ways) or 'none'}")
        return self

    @property
    def way(self) -> str:
        """The key of the one that is given."""
        return next(name for name in type(self).model_fields if getattr(self, name) is not None)

    @property
    def sees_latency(self) -> bool:
        """Whether request and answer are both seen, so that what lies between them can be told."""
        return self.mirror is None

    @property
    def settings(self) -> Proxy | Rest | Mirror | Observer | CloudEvents:
        """The one that is given."""
        ways = (self.proxy, self.rest, self.mirror, self.observer, self.cloudevents)
        return next(way for way in ways if way is not None)
