"""Compares the model server's latency beside shadow work with its latency while shadow work rests.

Both latencies come from the same stretch of time: shadow work rests for a tenth of it. After a comparison all
its latencies are dropped. The begin of a call decides whether it counts as beside shadow work, because a long
call would meet shadow work more often than a short call. If shadow work slows the server down, it backs off.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

# The quantile of the latencies that is compared. It is as robust as the median, and rises when a quarter of
# the calls are slow.
_QUANTILE: Final = 0.75
# Latencies that a comparison needs on each side, and latencies that are kept.
_FEWEST, _MOST = 50, 400
# Other processes' load changes too, so a single rest would show a single moment.
_FEWEST_RESTS: Final = 3
_MOST_UNDECIDED: Final = 2000
# A comparison of few calls must hold by this many standard errors on each side.
_SURENESS: Final = 1.64
# A rest is this many calls long, so that calls that shadow work delayed are over.
_REST_CALLS: Final = 4.0
_SHORTEST_REST_S, _LONGEST_REST_S = 0.2, 5.0
_WORK_RESTS: Final = 9.0
_SMOOTHING: Final = 0.05
# A shorter pause between batches does not end a stretch of work: the delayed calls are not over.
_SAME_STRETCH_S: Final = 0.01
_STRETCHES: Final = 2048
_FIRST_PAUSE_S, _LAST_PAUSE_S = 5.0, 60.0
# After so long without a call there is no live traffic to protect.
_SILENCE_S: Final = 60.0


class _Side:
    """A bounded sample of latencies, spread evenly over all calls of a comparison."""

    def __init__(self) -> None:
        self.latencies_s: list[float] = []
        self._every = 1
        self._skipped = 0

    def add(self, latency_s: float) -> None:
        self._skipped += 1
        if self._skipped < self._every:
            return
        self._skipped = 0
        self.latencies_s.append(latency_s)
        if len(self.latencies_s) > _MOST:
            del self.latencies_s[::2]
            self._every *= 2

    def bounds(self) -> tuple[float, float, float]:
        """Returns lower bound, value and upper bound of the quantile, from order statistics."""
        error = _SURENESS * math.sqrt(_QUANTILE * (1 - _QUANTILE) / len(self.latencies_s))
        at = (_QUANTILE - error, _QUANTILE, min(_QUANTILE + error, 1.0))
        low, value, high = np.quantile(self.latencies_s, at).tolist()
        return low, value, high


@dataclass(slots=True)
class _Stretch:
    begin_s: float
    end_s: float = math.inf


class Interference:
    """How shadow work affects one endpoint's live latency. All methods belong to one thread.

    Attributes:
        ratio: upper quartile of the live latency beside shadow work, divided by the upper quartile during
            rests, from the last comparison; None before the first comparison.
        backed_off: whether shadow work pauses, or is tried again after a pause.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Prepares; nothing is compared before `allow`.

        Args:
            clock: seconds, monotonic; the times that `heard` is given must come from the same clock.
        """
        self.ratio: float | None = None
        self.backed_off = False
        self._limit: float | None = None
        self._clock = clock
        self._stretches: list[_Stretch] = []
        self._forgotten = False
        self._under_way = 0
        self._no_rest_since = -math.inf
        self._typical_s = 0.0
        self._heard_at = -math.inf
        self._held_to = -math.inf
        self._pause_s = _FIRST_PAUSE_S
        # Calls that ended, as begin and latency; shadow work may still begin shortly after their begin.
        self._undecided: deque[tuple[float, float]] = deque()
        self._beside, self._alone = _Side(), _Side()
        self._rests = 0
        self._rested_from = math.nan

    @property
    def reason(self) -> str:
        """The reason why shadow work is held back; empty while it is not."""
        if not self.backed_off or self.ratio is None:
            return ""
        return (
            f"shadow work backs off: beside it the model server takes {self.ratio:.2f} times as long for "
            f"live requests, and interference.latency_ratio allows {self._limit:g}"
        )

    def allow(self, limit: float | None) -> None:
        """Sets the greatest allowed ratio; None switches the comparison off."""
        if limit == self._limit:
            return
        self._limit = limit
        self.ratio = None
        self._come_back()

    def began(self) -> None:
        """Notes that a batch was given to a model."""
        now = self._clock()
        if not self._under_way:
            idle_s = now - self._stretches[-1].end_s if self._stretches else math.inf
            if idle_s >= self._rest_s:
                self._no_rest_since = now
            if idle_s < _SAME_STRETCH_S:
                self._stretches[-1].end_s = math.inf
            else:
                self._stretches.append(_Stretch(now))
        if len(self._stretches) > _STRETCHES:
            del self._stretches[: _STRETCHES // 2]
            self._forgotten = True
        self._under_way += 1

    def ended(self) -> None:
        """Notes that a batch was answered, or will never be answered."""
        self._under_way -= 1
        if not self._under_way:
            self._stretches[-1].end_s = self._clock()

    def wait_s(self) -> float:
        """Returns the seconds until a batch may be given to a model; 0 if it may be given now."""
        now = self._clock()
        if self._limit is None or now - self._heard_at > _SILENCE_S:
            return 0.0
        if now < self._held_to:
            return self._held_to - now
        if now - self._no_rest_since < self._rest_s * _WORK_RESTS:
            return 0.0
        if self._under_way:
            return self._rest_s
        return max(self._stretches[-1].end_s + self._rest_s - now, 0.0) if self._stretches else 0.0

    def heard(self, asked_s: float, latency_s: float) -> bool:
        """Takes a live call that ended.

        Args:
            asked_s: when the model server got the request, by the clock.
            latency_s: seconds until the answer came.

        Returns:
            whether this call made shadow work back off, or go on again.
        """
        if self._limit is None:
            return False
        now = self._heard_at = self._clock()
        self._typical_s += (latency_s - self._typical_s) * (_SMOOTHING if self._typical_s else 1.0)
        if len(self._undecided) < _MOST_UNDECIDED:
            self._undecided.append((asked_s, latency_s))
        while self._undecided and self._undecided[0][0] + self._rest_s <= now:
            self._sort(*self._undecided.popleft())
        return self._judge(self._limit, now)

    @property
    def _rest_s(self) -> float:
        return min(max(self._typical_s * _REST_CALLS, _SHORTEST_REST_S), _LONGEST_REST_S)

    def _sort(self, asked_s: float, latency_s: float) -> None:
        """Counts a call beside shadow work or in a rest; a call near an end of a rest counts nowhere."""
        place = bisect_right(self._stretches, asked_s, key=lambda stretch: stretch.begin_s)
        before_s = self._stretches[place - 1].end_s if place else math.inf if self._forgotten else -math.inf
        if place and asked_s <= before_s:
            self._beside.add(latency_s)
            return
        after_s = self._stretches[place].begin_s if place < len(self._stretches) else math.inf
        if before_s + self._rest_s / 4 <= asked_s <= after_s - self._rest_s / 4:
            self._alone.add(latency_s)
            self._rests += before_s != self._rested_from
            self._rested_from = before_s

    def _judge(self, limit: float, now: float) -> bool:
        if now < self._held_to:
            return False
        calls = len(self._beside.latencies_s)
        fewest = min(calls, len(self._alone.latencies_s))
        if fewest < _FEWEST or self._rests < _FEWEST_RESTS:
            lonely = self.backed_off and now - self._held_to > _SILENCE_S and calls < _FEWEST
            return self._come_back() if lonely else False
        low, beside, _ = self._beside.bounds()
        _, alone, high = self._alone.bounds()
        if beside <= limit * alone:
            self.ratio = beside / alone
            return self._come_back()
        if low <= limit * high and fewest < _MOST // 2:
            return False
        self.ratio = beside / alone
        return self._back_off(now)

    def _back_off(self, now: float) -> bool:
        new, self.backed_off = not self.backed_off, True
        self._held_to = now + self._pause_s
        self._pause_s = min(self._pause_s * 2, _LAST_PAUSE_S)
        self._begin_anew()
        return new

    def _come_back(self) -> bool:
        was, self.backed_off = self.backed_off, False
        self._held_to = -math.inf
        self._pause_s = _FIRST_PAUSE_S
        self._begin_anew()
        return was

    def _begin_anew(self) -> None:
        self._beside, self._alone = _Side(), _Side()
        self._rests, self._rested_from = 0, math.nan
