"""A named stream of requests for one task."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from sidecar.config.schema.candidate import MAX_CANDIDATES, Candidate, Discover
from sidecar.config.schema.captures.table import Capture
from sidecar.config.schema.ranking import Ranking
from sidecar.config.schema.section import Name, Section
from sidecar.config.schema.window import Input, Output, Sample, Segments, Window


class Endpoint(Section):
    """A named stream of requests for one task."""

    name: Name = Field(description="unique name that callers ask for")
    capture: tuple[Capture, ...] = Field(
        default=(),
        description="how traffic reaches the endpoint; default: only through TrafficService.Observe",
    )
    sample: Sample = Field(default=Sample(), description="which requests are sampled")
    input: Input = Field(default=Input(), description="which tensor of a request the candidates get")
    output: Output = Field(
        default=Output(), description="which tensor of the incumbent's live answer is used"
    )
    window: Window = Field(default=Window(), description="how much of the traffic is remembered")
    segments: Segments | None = Field(
        default=None,
        description="splits the window into segments; default: no segments; a change empties the window",
    )
    incumbent: Name = Field(description="name of the candidate that serves now")
    candidates: tuple[Candidate, ...] = Field(
        min_length=1, max_length=MAX_CANDIDATES, description="models that could serve"
    )
    discover: tuple[Discover, ...] = Field(
        default=(),
        max_length=16,
        description="servers whose ready models are candidates, too; an endpoint has up to "
        f"{MAX_CANDIDATES} candidates",
    )
    ranking: Ranking = Field(default=Ranking(), description="when and how the candidates are ranked")

    @model_validator(mode="after")
    def _discovered_once(self) -> Self:
        names = [(one.url, one.models) for one in self.discover]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"discover: models {twice[0][1]!r} of {twice[0][0]} is listed twice; remove one entry"
            )
        return self

    @model_validator(mode="after")
    def _somebody_answers(self) -> Self:
        asking = [capture.way for capture in self.capture if capture.settings.asks_incumbent]
        for one in self.candidates if asking else ():
            if one.name == self.incumbent and not one.model.answers_live:
                place = "runs on a server" if one.model.behind else "runs only in the scoring process"
                raise ValueError(
                    f"the incumbent {self.incumbent!r} {place}, so it cannot answer here: give the "
                    f"{asking[0]} an upstream"
                )
        return self
