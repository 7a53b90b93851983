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

    name: Name = Field(description="unique; callers ask for it")
    capture: tuple[Capture, ...] = Field(default=(), description="without any, items come through Observe")
    sample: Sample = Field(default=Sample(), description="which requests are kept")
    input: Input = Field(default=Input(), description="what of a request the candidates are given")
    output: Output = Field(default=Output(), description="what of the incumbent's live answer is used")
    window: Window = Field(default=Window(), description="what is remembered of the traffic")
    segments: Segments | None = Field(
        default=None,
        description="splits the window into kinds of traffic; default: not split. A change starts it anew",
    )
    incumbent: Name = Field(description="the candidate that serves now")
    candidates: tuple[Candidate, ...] = Field(
        min_length=1, max_length=MAX_CANDIDATES, description="the models that could serve"
    )
    discover: tuple[Discover, ...] = Field(
        default=(),
        max_length=16,
        description=f"servers whose ready models are candidates too, up to {MAX_CANDIDATES} in all",
    )
    ranking: Ranking = Field(default=Ranking(), description="when and how the candidates are ranked")

    @model_validator(mode="after")
    def _discovered_once(self) -> Self:
        names = [(one.url, one.models) for one in self.discover]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"discover: models {twice[0][1]!r} of {twice[0][0]} stand there twice")
        return self

    @model_validator(mode="after")
    def _somebody_answers(self) -> Self:
        asking = [capture.way for capture in self.capture if capture.settings.asks_incumbent]
        for one in self.candidates if asking else ():
            if one.name == self.incumbent and not one.model.answers_live:
                place = "is behind a server" if one.model.behind else "runs in the scoring process alone"
                raise ValueError(
                    f"the incumbent {self.incumbent!r} {place}: name that as the {asking[0]}'s upstream"
                )
        return self
