"""Compares the model server's latency beside shadow work with that in rests from it, and backs off.

Both come from the same stretch of time: shadow work is made to rest for a tenth of it, and a comparison
forgets all that it used. Calls belong to one side or the other by when they began, as long ones would meet
shadow work more often than short ones.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

# Of the latencies on each side. Robust as the median, and sees what hits a quarter of the calls only.
_QUANTILE: Final = 0.75
_FEWEST, _MOST = 50, 400
# The load of others moves too: one rest would tell of one moment.
_FEWEST_RESTS: Final = 3
_MOST_UNDECIDED: Final = 2000
# In standard errors, on each side: so sure must a comparison of few calls be.
_SURENESS: Final = 1.64
# A rest is to be long beside a call, for what it delayed to be over.
_REST_CALLS: Final = 4.0
_SHORTEST_REST_S, _LONGEST_REST_S = 0.2, 5.0
_WORK_RESTS: Final = 9.0
_SMOOTHING: Final = 0.05
# Shorter pauses between batches are none: what was delayed is not over.
_SAME_STRETCH_S: Final = 0.01
_STRETCHES: Final = 2048
_FIRST_PAUSE_S, _LAST_PAUSE_S = 5.0, 60.0
# With hardly a call in so long, there is no live traffic to protect.
_SILENCE_S: Final = 60.0


class _Side:
    """Latencies of calls, evenly over all the time of a comparison, however many there are."""

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
        """The quantile between its lower and its upper bound, by order statistics."""
        error = _SURENESS * math.sqrt(_QUANTILE * (1 - _QUANTILE) / len(self.latencies_s))
        at = (_QUANTILE - error, _QUANTILE, min(_QUANTILE + error, 1.0))
        low, value, high = np.quantile(self.latencies_s, at).tolist()
        return low, value, high


@dataclass(slots=True)
class _Stretch:
    begin_s: float
    end_s: float = math.inf


class Interference:
    """Of one endpoint. Not safe for threads.

    Attributes:
        ratio: upper quartile of the live latency beside shadow work over that in rests, as the last
            comparison found it; None before the first.
        backed_off: whether shadow work pauses, or is tried again after a pause.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Watches nothing before `allow`.

        Args:
            clock: seconds, monotonic, the one that `heard` is told by.
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
        # Calls that ended and may still turn out to have begun shortly before shadow work.
        self._undecided: deque[tuple[float, float]] = deque()
        self._beside, self._alone = _Side(), _Side()
        self._rests = 0
        self._rested_from = math.nan

    @property
    def reason(self) -> str:
        """Why shadow work is held back; empty while it is not."""
        if not self.backed_off or self.ratio is None:
            return ""
        return (
            f"shadow work backs off: beside it the model server takes {self.ratio:.2f} times as long for "
            f"live requests, and interference.latency_ratio allows {self._limit:g}"
        )

    def allow(self, limit: float | None) -> None:
        """Takes the ratio that is allowed; None watches nothing."""
        if limit == self._limit:
            return
        self._limit = limit
        self.ratio = None
        self._come_back()

    def began(self) -> None:
        """A batch was given to a model."""
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
        """A batch was answered, or will never be."""
        self._under_way -= 1
        if not self._under_way:
            self._stretches[-1].end_s = self._clock()

    def wait_s(self) -> float:
        """Seconds until a batch may be given to a model; 0 when it may now."""
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
        """Takes a live call that ended; whether shadow work backs off since then, or does not any more.

        Args:
            asked_s: when the model server had the request.
            latency_s: until its answer was there.
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
        """Puts a call on the side where it belongs, if any: near the ends of a rest it belongs to none."""
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
