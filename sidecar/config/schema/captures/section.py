"""What the configuration asks of the section of a capture, and what the section says of its capture."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Final

from sidecar.config.schema.section import Section

ENVOY_ADMIN: Final = (
    "HOST:PORT of Envoy's admin page, which counts the copies that Envoy could not send; default: not read"
)
MODEL: Final = "model name in the requests to sample; default: the endpoint's name"


class Listens(Enum):
    """Where traffic reaches a capture; the value is the key of the section that says where."""

    ADDRESS = "listen"
    """HOST:PORT of a socket of its own."""
    PATH = "path"
    """A path of the HTTP port, to which events are posted."""


class EnvoyFeed(Enum):
    """The mechanism by which Envoy sends a capture copies of V2 calls over gRPC."""

    MIRROR_POLICY = "request_mirror_policies"
    """A route sends each request a second time, to a V2 server; Istio calls it `mirror`."""
    EXT_PROC = "ext_proc"
    """The external processing filter, in observability mode, sends copies of requests and answers."""


class CaptureSection(Section):
    """Settings of a capture. All other code reads these attributes, and names no capture.

    A section has a field `model`, and the field that `listens` names. A section that relays has a field
    `upstream`; where that may be left out, the endpoint's incumbent answers in the serving process.

    Attributes:
        listens: where traffic reaches the capture.
        relays: whether the clients' requests pass through it, so that they wait for it.
        sees_answers: whether it sees what the incumbent answered.
        sees_latency: whether it sees how long the incumbent took to answer.
        envoy_feed: how Envoy sends it copies; None: Envoy does not feed it.
    """

    listens: ClassVar[Listens] = Listens.ADDRESS
    relays: ClassVar[bool] = False
    sees_answers: ClassVar[bool]
    sees_latency: ClassVar[bool]
    envoy_feed: ClassVar[EnvoyFeed | None] = None

    if TYPE_CHECKING:
        # A field of each section itself, so that the schema lists it where the section does.
        model: str | None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:  # noqa: ANN401 - of pydantic
        """Refuses a section that lacks what every capture has."""
        super().__pydantic_init_subclass__(**kwargs)
        wanted = {"model", cls.listens.value, *(("upstream",) if cls.relays else ())}
        missing = sorted(wanted - cls.model_fields.keys())
        missing += [name for name in ("sees_answers", "sees_latency") if not hasattr(cls, name)]
        if missing:
            raise TypeError(f"{cls.__name__} is the section of a capture: give it {', '.join(missing)}")

    @property
    def where(self) -> str:
        """The address or the path at which traffic reaches the capture."""
        return str(getattr(self, self.listens.value))

    @property
    def asks_incumbent(self) -> bool:
        """Whether it has no upstream, so that the incumbent must answer in the serving process."""
        return self.relays and getattr(self, "upstream") is None  # noqa: B009 - a field where it relays

    @property
    def envoy_admin(self) -> str | None:
        """HOST:PORT of the admin page of the Envoy that feeds it; None: Envoy is not asked."""
        return None
