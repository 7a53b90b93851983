"""The section of the capture `cloudevents`, which `sidecar.serving.capture.cloudevents` is."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, Field, StringConstraints

from sidecar.config.schema.captures.section import CaptureSection, Listens

# What the HTTP port has of its own.
PATHS: Final = ("/metrics", "/healthz", "/readyz")


def _free_path(path: str) -> str:
    if path in PATHS:
        raise ValueError(f"{path} is Pilotfish's own; name another")
    return path


class CloudEvents(CaptureSection):
    """Takes copies of requests and answers, from KServe's logger, on the HTTP port."""

    listens: ClassVar = Listens.PATH
    sees_answers: ClassVar = True
    sees_latency: ClassVar = True

    path: Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9._~/-]*$"), AfterValidator(_free_path)] = (
        Field(default="/events", description="of the URL that the logger posts to")
    )
    model: str | None = Field(
        default=None,
        description="`inferenceservicename` of the events to sample; default: the endpoint's name",
    )
