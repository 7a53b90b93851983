"""The recommendation on simulated traffic: false changes of equal candidates, items until a true change.

Run it with `python -m benchmarks.recommendation`; it exits 1 when a bar is missed. Candidates are right or
wrong on the same items, and differ on a share of them. Items needed are set beside what paper and pencil
say of one challenger that knows the gap and bets the best share on each item: 2 s^2 ln(1 / level) / gap^2
with s^2 the variance of the difference. (The logarithm of its capital grows by b gap - b^2 s^2 / 2 an item,
which is largest at b = gap / s^2, and has to reach ln(1 / level).)
"""

from __future__ import annotations

import os

# One thread, as in the sidecar.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import sys
import time
from collections.abc import Callable, Sequence

import numpy as np

from sidecar.core.tensors import Array, Floats
from sidecar.estimation.ranking.recommendation import BETS, Recommendation, bet, log_evidence, log_stake

RUNS = 200
ROUNDS = 10_000
# Of several challengers: more runs, as the bar is on a rate that 200 runs know within 1.5 %.
FAMILY = 5
FAMILY_RUNS = 1_000
FAMILY_ROUNDS = 2_000
ITEMS = 64
LEVEL = 0.05
GAP = 0.05
# Shares of items that one of the two gets right and the other wrong.
DIFFER = (0.1, 0.2, 0.4)
BEFORE = 1_000
PERIOD = 2_000
# Fewer, as `Recommendation` itself is run here, one round at a time.
FOLLOWED_RUNS = 40
FACTOR_BAR = 2.0
SECONDS_BAR = 60.0

Draw = Callable[[int], Floats]


def main() -> int:
    """Prints the figures and bars; returns the exit code."""
    rng = np.random.default_rng(0)
    print(f"{ITEMS} items a round, level {LEVEL:g}; {RUNS} runs where nothing else is said")
    met = [equal(rng, differ, (RUNS, 1), ROUNDS) for differ in DIFFER]
    met.append(equal(rng, DIFFER[1], (FAMILY_RUNS, FAMILY), FAMILY_ROUNDS))
    met += [gap(rng, differ) for differ in DIFFER]
    steps = GAP * np.sign(np.sin(2 * np.pi * (np.arange(ROUNDS) + 0.5) / PERIOD))
    waves = GAP * np.sin(2 * np.pi * np.arange(ROUNDS) / PERIOD)
    met.append(follow(rng, "the better one alternates", steps))
    follow(rng, "the gap is a sine wave", waves)
    shared_errors(rng)
    return 0 if all(met) else 1


def equal(rng: np.random.Generator, differ: float, shape: tuple[int, int], rounds: int) -> bool:
    """Challengers as good as the recommended candidate, all day long; shape is runs, challengers."""
    start = time.perf_counter()
    found = first_enough(lambda _: differences(rng, differ, np.zeros(shape)), rounds)
    seconds = time.perf_counter() - start
    share = float((found > 0).mean())
    met = share <= LEVEL and seconds < SECONDS_BAR
    print(
        f"equal challengers: {shape[1]}, differ on {differ:.0%}: false change in {share:.1%} of "
        f"{shape[0]:,} runs of {rounds:,} rounds, {seconds:.0f} s; "
        f"bars {LEVEL:.0%} and {SECONDS_BAR:.0f} s: {said(met)}"
    )
    return met


def gap(rng: np.random.Generator, differ: float) -> bool:
    """A challenger that is better from the start, and one that was worse for long."""
    bound = 2 * (differ - GAP**2) * np.log(1 / LEVEL) / GAP**2
    now = first_enough(lambda _: differences(rng, differ, np.full((RUNS, 1), GAP)), ROUNDS)
    turned = first_enough(
        lambda number: differences(rng, differ, np.full((RUNS, 1), GAP if number > BEFORE else -GAP)), ROUNDS
    )
    items, late = (quartiles(one * ITEMS) for one in (now, turned - BEFORE))
    met = bool((now > 0).all() and items[1] <= FACTOR_BAR * bound)
    print(
        f"gap {GAP:g}, differ on {differ:.0%}: {items[1]:,.0f} items [{items[0]:,.0f}, {items[2]:,.0f}], "
        f"bound {bound:,.0f}, {items[1] / bound:.2f} x; bar {FACTOR_BAR:g} x: {said(met)}\n"
        f"  after {BEFORE:,} rounds of the opposite gap: {late[1]:,.0f} items "
        f"[{late[0]:,.0f}, {late[2]:,.0f}], {late[1] / items[1]:.1f} times as many"
    )
    return met


def follow(rng: np.random.Generator, name: str, gaps: Floats) -> bool:
    """The whole machine with two candidates of which now one and now the other is better."""
    false = 0
    changes: list[int] = []
    gained: list[float] = []
    for _ in range(FOLLOWED_RUNS):
        recommendation = Recommendation("a", level=LEVEL)
        made, wrong, gain = 0, False, 0.0
        most = -1.0
        for b_leads in gaps.tolist():
            challenger, lead = ("b", b_leads) if recommendation.candidate == "a" else ("a", -b_leads)
            gain += b_leads if challenger == "a" else 0
            most = max(most, lead)
            shown = differences(rng, DIFFER[1], np.array([lead]))
            if recommendation.update([challenger], shown, [challenger]):
                made += 1
                wrong |= most <= 0
                most = -1.0
        false += wrong
        changes.append(made)
        gained.append(gain / float(np.maximum(gaps, 0).sum()))
    met = false <= LEVEL * FOLLOWED_RUNS
    print(
        f"{name} (period {PERIOD:,} rounds): {np.mean(changes):.1f} changes a run of {ROUNDS:,} rounds, "
        f"{np.mean(gained):.0%} of what always knowing the better one gains over staying; "
        f"false changes in {false} of {FOLLOWED_RUNS} runs: {said(met)}"
    )
    return met


def shared_errors(rng: np.random.Generator) -> None:
    """Equal candidates whose items of a round err together: the assumption is broken, and the mend."""
    shown: Sequence[tuple[str, Callable[[Floats], Floats]]] = (
        ("as single items", lambda items: items),
        ("as one mean a round", lambda items: items.mean(axis=-1, keepdims=True)),
    )
    for spread in (0.05, 0.1):
        for name, given in shown:
            found = first_enough(
                lambda _, given=given, spread=spread: given(  # type: ignore[misc]
                    differences(rng, DIFFER[1], rng.choice([-spread, spread], (RUNS, 1)))
                ),
                ROUNDS // 10,
            )
            print(
                f"not judged: a gap of +-{spread:g} drawn anew each round, mean 0, {name}: "
                f"false change in {(found > 0).mean():.1%} of runs of {ROUNDS // 10:,} rounds"
            )


def differences(rng: np.random.Generator, differ: float, gaps: Floats) -> Floats:
    """Right (1) or wrong (0) of challengers minus the same of the recommended candidate [..., items]."""
    drawn = rng.random((*gaps.shape, ITEMS))
    better = drawn < (differ + gaps[..., None]) / 2
    return better.astype(np.float64) - (drawn >= 1 - (differ - gaps[..., None]) / 2)


def first_enough(draw: Draw, rounds: int) -> Array:
    """The round from 1 in which any challenger of a run has enough evidence; 0 where none has [runs].

    Args:
        draw: gives the differences of a round [runs, challengers, items].
        rounds: at most.
    """
    found: Array = np.zeros((), dtype=np.int64)
    capital: Floats = np.full(len(BETS), -np.inf)
    needed = -np.log(LEVEL)
    for number in range(1, rounds + 1):
        shown = draw(number)
        capital = np.minimum(bet(capital, shown, log_stake(number, shown.shape[1])), needed)
        enough = (log_evidence(capital) >= needed).any(axis=1)
        found = np.where((found == 0) & enough, number, found)
        if found.all():
            break
    return found


def quartiles(values: Array) -> Floats:
    """Quartiles over runs."""
    return np.asarray(np.quantile(values, [0.25, 0.5, 0.75]))


def said(met: bool) -> str:  # noqa: FBT001 - a word for it
    """A bar's outcome."""
    return "met" if met else "MISSED"


if __name__ == "__main__":
    sys.exit(main())
