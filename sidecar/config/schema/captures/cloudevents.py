"""The settings of the capture `cloudevents`; `sidecar.serving.capture.cloudevents` implements it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, Field, StringConstraints

from sidecar.config.schema.captures.section import CaptureSection, Listens

# Paths that the HTTP port uses itself.
PATHS: Final = ("/metrics", "/healthz", "/readyz")


def _free_path(path: str) -> str:
    if path in PATHS:
        raise ValueError(f"{path} belongs to Pilotfish itself; choose another path")
    return path


class CloudEvents(CaptureSection):
    """Takes copies of requests and answers, from KServe's logger, on the HTTP port."""

    listens: ClassVar = Listens.PATH
    sees_answers: ClassVar = True
    sees_latency: ClassVar = True

    path: Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9._~/-]*$"), AfterValidator(_free_path)] = (
        Field(default="/events", description="path of the URL that the logger posts events to")
    )
    model: str | None = Field(
        default=None,
        description="`inferenceservicename` of the events to sample; default: the endpoint's name",
    )
