"""Which requests are kept, what of them, and how long."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from sidecar.config.schema.section import Section
from sidecar.config.units import Size


class Sample(Section):
    """Which requests are kept."""

    fraction: float = Field(default=0.1, ge=0, le=1, description="share of the requests, 0..1")
    max_per_second: float = Field(default=200, gt=0, description="requests a second, at most")
    max_item_bytes: Size = Field(
        default=1 << 20, description="bytes, or with a unit; a larger request or answer is dropped: oversize"
    )


class Input(Section):
    """What of a request the candidates are given."""

    tensor: str | None = Field(
        default=None, description="the request's tensor for candidates with one input of another name"
    )


class Output(Section):
    """What of the incumbent's live answer is used."""

    tensor: str | None = Field(
        default=None,
        description="the tensor's name there, where it is not that of the incumbent's profile",
    )


class Window(Section):
    """What is remembered of the traffic, in memory."""

    items: int = Field(default=4096, ge=1, le=1 << 20, description="items, at most")
    bytes: Size = Field(default=64 << 20, description="bytes, or with a unit, of the items, at most")


class Segments(Section):
    """What splits the window into kinds of traffic, each with a ranking of its own: one of three ways."""

    tensor: str | None = Field(
        default=None, min_length=1, description="request tensor with one value an item, the segment's name"
    )
    # gRPC metadata keys are lower case; `:` would begin a key of HTTP/2's own.
    metadata: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.-]{1,64}$")] | None = Field(
        default=None, description="gRPC metadata key or HTTP header, lower case; its value names the segment"
    )
    inputs: Literal[True] | None = Field(
        default=None, description="true: found by itself from the inputs, once the window holds 256 items"
    )
    # Every segment costs a ranking each round.
    max: int = Field(
        default=4,
        ge=1,
        le=16,
        description="segments with a name, at most: the most frequent values with ranking.min_items items; "
        "what is left is the segment `other`",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [name for name in ("tensor", "metadata", "inputs") if getattr(self, name) is not None]
        if len(ways) != 1:
            raise ValueError(f"give one of tensor, metadata, inputs; there is {', '.join(ways) or 'none'}")
        return self
