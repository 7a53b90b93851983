"""What benchmarks.selection makes of an order of candidates, against counting by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy import stats
from sklearn.metrics import f1_score

from benchmarks.selection.case import Case
from benchmarks.selection.cases import cases
from benchmarks.selection.judge import judge
from benchmarks.selection.score import accuracies, mixed_regret, rare_f1, score
from benchmarks.selection.summary import workload_figures
from benchmarks.selection.workloads import DIGITS
from sidecar.core.evidence import Evidence
from sidecar.core.ranking import CandidateRank, Estimate, Ranking, State
from sidecar.estimation.accuracy.learned import LEARNED

SHARES = st.integers(0, 4).map(lambda quarter: quarter / 4)


@st.composite
def orders(draw: st.DrawFn) -> tuple[list[float | None], list[float]]:
    """Values and qualities with many ties."""
    number = draw(st.integers(1, 6))
    values = draw(st.lists(st.none() | SHARES, min_size=number, max_size=number))
    return values, draw(st.lists(SHARES, min_size=number, max_size=number))


@given(orders(), st.sampled_from([1, -1]))
def test_regret_and_hits_are_the_mean_over_the_candidates_that_share_the_first_place(
    order: tuple[list[float | None], list[float]], direction: int
) -> None:
    values, quality = order
    known = [direction * value for value in values if value is not None]
    first = [
        index
        for index, value in enumerate(values)
        if not known or (value is not None and direction * value == max(known))
    ]
    made = score(values, np.array(quality), direction=direction)
    assert made.regret == pytest.approx(np.mean([max(quality) - quality[index] for index in first]))
    assert made.hits == pytest.approx(np.mean([quality[index] == max(quality) for index in first]))


@given(orders())
def test_correlations_equal_scipys(order: tuple[list[float | None], list[float]]) -> None:
    values, quality = order
    made = score(values, np.array(quality))
    filled = [-1.0 if value is None else value for value in values]
    if len(set(filled)) > 1 and len(set(quality)) > 1:
        assert made.spearman == pytest.approx(stats.spearmanr(filled, quality).statistic)
    else:
        assert made.spearman is None
    known = [(value, true) for value, true in zip(values, quality, strict=True) if value is not None]
    if len({value for value, _ in known}) > 1 and len({true for _, true in known}) > 1:
        assert made.pearson == pytest.approx(stats.pearsonr(*zip(*known, strict=True)).statistic)
    else:
        assert made.pearson is None


def test_the_error_is_over_the_candidates_with_a_value() -> None:
    made = score([0.5, None, 0.7], np.array([1.0, 2.0, 3.0]), np.array([0.6, 0.1, 0.4]))
    assert made.mae == pytest.approx((0.1 + 0.3) / 2)
    assert score([0.5], np.array([0.5])).mae is None
    assert score([None], np.array([0.5]), np.array([0.5])).mae is None


@given(
    npst.arrays(np.int64, (3, 12), elements=st.integers(0, 2)),
    npst.arrays(np.int64, 12, elements=st.integers(0, 2)),
)
def test_qualities_equal_scikit_learns(votes: np.ndarray, truth: np.ndarray) -> None:
    assert accuracies(votes, truth) == pytest.approx([np.mean(one == truth) for one in votes])
    counts = {label: int((truth == label).sum()) for label in sorted(set(truth.tolist()))}
    rare = min(counts, key=lambda label: counts[label])
    expected = [f1_score(truth == rare, one == rare) for one in votes]
    assert rare_f1(votes, truth) == pytest.approx(expected)


@given(
    npst.arrays(np.bool_, (3, 8)),
    npst.arrays(np.int64, 8, elements=st.integers(0, 2)),
    npst.arrays(np.int64, 8, elements=st.integers(0, 2)),
)
def test_mixed_regret_is_against_the_best_candidate_of_each_kind(
    right: np.ndarray, segments: np.ndarray, served: np.ndarray
) -> None:
    best = sum(max(row[segments == kind].sum() for row in right) for kind in set(segments.tolist()))
    reached = sum(right[candidate, item] for item, candidate in enumerate(served))
    assert mixed_regret(right, segments, served) == pytest.approx((best - reached) / 8)


def test_coverage_counts_the_intervals_that_hold_the_truth() -> None:
    votes = np.array([[0, 1, 0, 1], [0, 1, 0, 0], [1, 0, 0, 1]])
    truth = np.array([0, 1, 0, 1])
    intervals = {"right": (0.9, 1.0), "near": (0.8, 0.9), "half": (0.4, 0.5)}
    ranking = Ranking(
        4,
        State.TIED,
        "",
        tuple(
            CandidateRank(name, 1, State.TIED, "", Estimate(low, low, high))
            for name, (low, high) in intervals.items()
        ),
    )
    nothing = (None,) * 3
    evidence = Evidence(nothing, nothing, nothing, ("a", "b"), np.eye(2)[votes], hard=True)
    case = Case("work", "here", "accuracy", tuple(intervals), ("",) * 3, evidence, truth, lambda _: ranking)
    figures = workload_figures([judge(case, LEARNED)])
    assert figures["default"]["coverage"] == pytest.approx(2 / 3)
    assert figures["default"]["width"] == pytest.approx(0.1)
    assert figures["default"]["abstained"] == 1
    assert figures["default"]["states"] == {"TIED": 1}
    assert figures["measures"]["jsd"]["regret"] is None
    assert figures["candidates"] == 3


# Trains fifteen models: a busy machine takes minutes.
@pytest.mark.timeout(400)
def test_digits_run_and_the_cache_gives_the_same_evidence(tmp_path: Path) -> None:
    said: list[str] = []
    made, again = (list(cases(DIGITS, Path(), tmp_path, seed=3, said=said.append)) for _ in range(2))
    assert sum("trains" in text for text in said) == 3 * len(made)
    for case, other in zip(made, again, strict=True):
        assert case.target not in case.sources
        np.testing.assert_array_equal(list(case.evidence.probabilities), list(other.evidence.probabilities))
        np.testing.assert_array_equal(case.truth, other.truth)
    assert max(accuracies(case.evidence.votes, case.truth).max() for case in made) > 0.8
    verdict = judge(made[0], LEARNED)
    assert verdict.default == judge(again[0], LEARNED).default
    assert verdict.intervals == len(verdict.names) == 12
