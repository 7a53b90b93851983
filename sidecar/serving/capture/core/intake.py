"""The sampler and the exact accounting of one endpoint. Hands samples over; never blocks, never raises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

from pilotfish.internal.v1 import scoring_pb2

from sidecar.wire.reasons import DropReason

# 64 characters of UTF-8, which is all that a segment's name keeps of a metadata value.
MAX_SEGMENT_BYTES: Final = 256


class Sink(Protocol):
    """Where samples go; `sidecar.serving.link` is one."""

    def offer(self, instruction: bytes) -> bool:
        """Takes a serialised Instruction without waiting or raising; False when there is no room."""
        ...


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which requests are kept.

    Attributes:
        fraction: share of the requests, 0..1.
        max_per_second: requests a second at most, on average; a burst may use up to one second's worth.
        max_item_bytes: of a request and of its answer.
    """

    fraction: float
    max_per_second: float
    max_item_bytes: int


@dataclass(frozen=True, slots=True)
class Accounting:
    """What became of an endpoint's requests: seen = sampled + skipped + the sum of dropped.

    Attributes:
        seen: requests whose fate is decided.
        sampled: handed to the scoring process.
        skipped: left out by the fraction or the cap.
        dropped: wanted but lost, by `DropReason`.
    """

    seen: int
    sampled: int
    skipped: int
    dropped: Mapping[str, int]


class Intake:
    """One endpoint's sampler. Belongs to one event loop.

    `sampling` and `segment_key`, the metadata key whose value names a request's segment or empty for
    none, may be replaced at any time; they hold for the requests that come after. `clock` is the one that the
    scoring process has too.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        fraction: float,
        max_per_second: float,
        max_item_bytes: int,
        sink: Sink,
        uniform: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self.endpoint = endpoint
        self.sampling = Sampling(fraction, max_per_second, max_item_bytes)
        self.segment_key = ""
        self.undecided = 0
        self.clock = clock
        self._sink = sink
        self._uniform = uniform
        self._tokens = max(max_per_second, 1.0)
        self._refilled_at = clock()
        self._sampled = 0
        self._skipped = 0
        self._dropped: Counter[str] = Counter()

    @property
    def counts(self) -> Accounting:
        """The accounting up to now, as a snapshot.

        Requests that were wanted and wait for `take` or `drop` (`undecided`) are not in it yet.
        """
        dropped = dict(self._dropped)
        seen = self._sampled + self._skipped + sum(dropped.values())
        return Accounting(seen, self._sampled, self._skipped, MappingProxyType(dropped))

    def wants(self) -> bool:
        """Decides about the next request; after True exactly one `take` or `drop` must follow."""
        wanted = self._uniform() < self.sampling.fraction and self._take_token()
        if wanted:
            self.undecided += 1
        else:
            self._skipped += 1
        return wanted

    def drop(self, reason: DropReason) -> None:
        """Ends a wanted request that cannot become a sample."""
        self.undecided -= 1
        self._dropped[reason.value] += 1

    def take(self, observation: scoring_pb2.Observation) -> bool:
        """Ends a wanted request by handing it over; False when it was dropped after all.

        Args:
            observation: of this endpoint.
        """
        limit = self.sampling.max_item_bytes
        bodies = (
            observation.v2_request,
            observation.v2_response,
            observation.http_request,
            observation.http_response,
        )
        if max(map(len, bodies)) > limit or observation.pushed.ByteSize() > limit:
            self.drop(DropReason.OVERSIZE)
            return False
        if not self._sink.offer(scoring_pb2.Instruction(observation=observation).SerializeToString()):
            self.drop(DropReason.QUEUE_FULL)
            return False
        self.undecided -= 1
        self._sampled += 1
        return True

    def _take_token(self) -> bool:
        now = self.clock()
        rate = self.sampling.max_per_second
        # A rate below one a second must still be able to save up one token.
        self._tokens = min(self._tokens + (now - self._refilled_at) * rate, max(rate, 1.0))
        self._refilled_at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
