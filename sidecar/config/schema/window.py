"""Which requests an endpoint samples, which tensors it uses, and how much it remembers."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from sidecar.config.schema.section import Section
from sidecar.config.units import Size


class Sample(Section):
    """Which requests are sampled."""

    fraction: float = Field(
        default=0.1, ge=0, le=1, description="share of the requests that is sampled, 0 to 1"
    )
    max_per_second: float = Field(
        default=200, gt=0, description="largest number of sampled requests a second"
    )
    max_item_bytes: Size = Field(
        default=1 << 20,
        description="largest request or answer, in bytes or with a unit; a larger one is dropped as "
        "`oversize`",
    )


class Input(Section):
    """Which tensor of a request the candidates get."""

    tensor: str | None = Field(
        default=None,
        description="request tensor for candidates whose single input has a different name; default: "
        "tensors match by name",
    )


class Output(Section):
    """Which tensor of the incumbent's live answer is used."""

    tensor: str | None = Field(
        default=None,
        description="answer tensor with the classes; default: the name in the incumbent's profile",
    )


class Window(Section):
    """How many of the newest items are remembered, in memory."""

    items: int = Field(default=4096, ge=1, le=1 << 20, description="largest number of items")
    bytes: Size = Field(default=64 << 20, description="largest size of all items, in bytes or with a unit")


class Segments(Section):
    """How the window is split into segments, each with its own ranking: by one of three keys."""

    tensor: str | None = Field(
        default=None, min_length=1, description="request tensor that holds the segment's name for each item"
    )
    # gRPC metadata keys are lower case; `:` would begin a key of HTTP/2's own.
    metadata: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.-]{1,64}$")] | None = Field(
        default=None,
        description="gRPC metadata key or HTTP header, in lower case, whose value is the segment's name",
    )
    inputs: Literal[True] | None = Field(
        default=None, description="true: segments are found from the inputs once the window holds 256 items"
    )
    # Every segment adds the work of a ranking to each round.
    max: int = Field(
        default=4,
        ge=1,
        le=16,
        description="largest number of named segments: the most frequent values with at least "
        "`ranking.min_items` "
        "items; all other items are in the segment `other`",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [name for name in ("tensor", "metadata", "inputs") if getattr(self, name) is not None]
        if len(ways) != 1:
            raise ValueError(f"give one of tensor, metadata, inputs; given: {', '.join(ways) or 'none'}")
        return self
