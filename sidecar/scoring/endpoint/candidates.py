"""An endpoint's candidates: which there are, what is loaded, and which of a request's tensors are theirs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future

from sidecar.config.schema import Endpoint
from sidecar.scoring.endpoint.asking import BatchResult
from sidecar.scoring.endpoint.candidate import ShadowCandidate
from sidecar.scoring.endpoint.interference import Interference
from sidecar.scoring.endpoint.segments import OTHER
from sidecar.scoring.runners.model import OpenModel
from sidecar.scoring.runners.server_budget import ServerBudgets


class Candidates:
    """The candidates in the configuration's order. `configure` must be called first."""

    def __init__(
        self,
        *,
        open_model: OpenModel,
        clock: Callable[[], float],
        interference: Interference,
        servers: ServerBudgets,
    ) -> None:
        self._open_model = open_model
        self._clock = clock
        self._interference = interference
        self._servers = servers
        self._by_name: dict[str, ShadowCandidate] = {}
        self._incumbent = ""
        self._output: str | None = None
        self.tensor: str | None = None

    def __iter__(self) -> Iterator[ShadowCandidate]:
        return iter(self._by_name.values())

    @property
    def names(self) -> Collection[str]:
        """Names of the candidates."""
        return self._by_name.keys()

    @property
    def incumbent(self) -> ShadowCandidate:
        """The candidate that serves now."""
        return self._by_name[self._incumbent]

    @property
    def under_way(self) -> list[Future[BatchResult]]:
        """Batches that servers have not answered yet."""
        return [batch for candidate in self for batch in candidate.under_way]

    @property
    def live_output(self) -> str:
        """Name of the tensor in the incumbent's live answers that holds the classes; empty if unknown."""
        loaded = self.incumbent.loaded
        return self._output or (loaded.profile.output if loaded else "")

    def configure(self, settings: Endpoint) -> None:
        """Takes new settings; a candidate that did not change keeps its answers, the others are closed."""
        before = self._by_name
        self._by_name = {}
        for wanted in settings.candidates:
            kept = before.get(wanted.name)
            if kept is None or kept.settings != wanted:
                kept = ShadowCandidate(
                    wanted,
                    window_items=settings.window.items,
                    open_model=self._open_model,
                    clock=self._clock,
                    interference=self._interference,
                    servers=self._servers,
                )
            self._by_name[wanted.name] = kept
        for name, candidate in before.items():
            if self._by_name.get(name) is not candidate:
                candidate.close()
        self._incumbent = settings.incumbent
        self._output = settings.output.tensor
        self.tensor = settings.input.tensor

    def close(self) -> None:
        """Closes and forgets all candidates; a second call does nothing."""
        for candidate in self:
            candidate.close()
        self._by_name = {}

    def evict(self, before_id: int, segments: Collection[str]) -> None:
        """Drops the binned inputs of items before `before_id`, and of segments that are not in `segments`."""
        named = {*segments, OTHER}
        for candidate in self:
            if candidate.loaded is not None:
                candidate.loaded.binning.evict(before_id, named)
