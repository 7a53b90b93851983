"""Which models are worth having, how well P(nondominated) foretells it elsewhere, and what it costs to find.

Run it with `python -m benchmarks.frontier --data DIR`. Published results of image models are read from
DIR/model_results/timm; without them only costs are measured. Needs the dependency group `bench`. It exits 1
when a bar is missed.
"""

from __future__ import annotations

import os

# One thread, so that ratios are the method's and not the number of cores.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.frontier.prediction import Judged, brier, calibration, judge
from benchmarks.frontier.speed import bars as speed_bars
from benchmarks.frontier.speed import costs
from benchmarks.frontier.tables import Published, read_published
from benchmarks.performance_models.report import Bar
from sidecar.estimation.frontier.dominance import nondominated
from sidecar.estimation.frontier.envelopment import envelopment
from sidecar.estimation.frontier.free_disposal import free_disposal
from sidecar.estimation.frontier.knee import knee

KINDS = ("random", "deterministic", "base rate")


def main() -> int:
    """Runs everything, prints tables and bars; returns the exit code."""
    start = time.monotonic()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with model_results/timm/*.parquet")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    figures: dict[str, Any] = {}
    reached: list[Bar] = []
    published = read_published(options.data / "model_results" / "timm")
    if published is None:
        print("skipped: there are no results-*.parquet and benchmark-infer-*.parquet in model_results/timm")
    else:
        for note in published.notes:
            print(note)
        figures["efficiency"] = efficiencies(published)
        for parameters in (False, True):
            name = "accuracy, throughput" + (", parameters" if parameters else "")
            judged = list(judge(published, parameters=parameters, rng=np.random.default_rng(options.seed)))
            if not judged:
                print(f"{name}: skipped, there are fewer than three test sets or machines")
                continue
            figures[name] = foretold(name, judged)
            random, certain = (figures[name]["brier"][kind] for kind in KINDS[:2])
            wanted = f"{name}: Brier score of the random frontier below the deterministic one's"
            reached.append(Bar(wanted, f"{random:.4f} and {certain:.4f}", random < certain))
    measured = list(costs())
    print_costs(measured)
    reached += speed_bars(measured)
    for bar in reached:
        print(f"{'met   ' if bar.met else 'MISSED'} {bar.name}: {bar.figure}")
    print(f"{(time.monotonic() - start) / 60:.1f} minutes, 1 thread")
    if options.out:
        figures["costs"] = [asdict(one) for one in measured]
        figures["bars"] = [{"name": bar.name, "figure": bar.figure, "met": bar.met} for bar in reached]
        options.out.write_text(json.dumps(figures, indent=1))
    return 0 if all(bar.met for bar in reached) else 1


def efficiencies(published: Published) -> list[dict[str, Any]]:
    """Prints the frontier and efficiencies of every test set on every machine's last file."""
    print(f"{len(published.names)} models; accuracy and throughput are maximised, parameters are minimised")
    print(
        f"{'test set':<30}{'machine':<12}{'frontier of 2':>14}{'of 3':>6}{'median FDH':>12}{'BCC':>6}"
        f"{'CCR':>6}  knee of 2"
    )
    lines = []
    for test_set, accuracy in published.accuracy.items():
        for machine, files in published.throughput.items():
            rates = list(files.values())[-1]
            there = np.flatnonzero(np.isfinite(rates))
            points = np.stack([accuracy, rates, published.parameters], axis=1)[there]
            bend = knee(np.log(points[:, :2]), (1, 1))
            line = {
                "test_set": test_set,
                "machine": machine,
                "models": len(there),
                "frontier_of_2": int(nondominated(points[:, :2], (1, 1)).sum()),
                "frontier_of_3": int(nondominated(points, (1, 1, -1)).sum()),
                "median_fdh": float(np.median(free_disposal(points, (1, 1, -1)).theta)),
                "median_bcc": float(np.median(envelopment(points, (1, 1, -1), "bcc").theta)),
                "median_ccr": float(np.median(envelopment(points, (1, 1, -1), "ccr").theta)),
                "knee": None if bend is None else published.names[there[bend]],
            }
            lines.append(line)
            print(
                f"{test_set:<30}{machine:<12}{line['frontier_of_2']:>14}{line['frontier_of_3']:>6}"
                f"{line['median_fdh']:>12.2f}{line['median_bcc']:>6.2f}{line['median_ccr']:>6.2f}"
                f"  {line['knee']}"
            )
    return lines


def foretold(name: str, judged: list[Judged]) -> dict[str, Any]:
    """Prints how well membership was foretold."""
    scores = {kind: brier(judged, kind) for kind in KINDS}
    better = sum(brier([one], "random") < brier([one], "deterministic") for one in judged)
    print(f"\n{name}: {len(judged)} pairs of a test set and a file of a machine, neither seen before")
    print("Brier score: " + ", ".join(f"{kind} {score:.4f}" for kind, score in scores.items()))
    print(f"random below deterministic in {better} of {len(judged)}")
    for part in ("test_set", "machine"):
        for value in dict.fromkeys(getattr(one, part) for one in judged):
            some = [one for one in judged if getattr(one, part) == value]
            print(f"  {value:<30}" + "".join(f"{kind:>16} {brier(some, kind):.4f}" for kind in KINDS))
    bins = calibration(judged, "random")
    print("calibration: predicted, came true, predictions")
    for predicted, true, count in bins:
        print(f"  {predicted:.3f}{true:>8.3f}{count:>8}")
    return {"brier": scores, "better": better, "pairs": len(judged), "calibration": bins}


def print_costs(measured: list[Any]) -> None:
    """Prints seconds and ratios."""
    print(
        f"\n{'points':<8}{'models':>8}{'frontier':>10}{'nondominated s':>16}{'moocore s':>11}{'ratio':>7}"
        f"{'ranks s':>9}{'FDH s':>8}{'BCC s':>8}"
    )
    for one in measured:
        rest = "".join(
            f"{'' if seconds is None else format(seconds, '.3f'):>{width}}"
            for seconds, width in ((one.ranks_s, 9), (one.fdh_s, 8), (one.bcc_s, 8))
        )
        print(
            f"{one.points:<8}{one.models:>8,}{one.front:>10,}{one.nondominated_s:>16.5f}{one.moocore_s:>11.5f}"
            f"{one.nondominated_s / one.moocore_s:>7.2f}{rest}"
        )


if __name__ == "__main__":
    sys.exit(main())
