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
from benchmarks.selection.judge import Verdict, judge
from benchmarks.selection.score import Score, accuracies, mixed_regret, rare_f1, score
from benchmarks.selection.summary import figures
from benchmarks.selection.window import NAMES, Window, window
from benchmarks.selection.workloads import DIGITS
from sidecar.core.evidence import Evidence
from sidecar.core.ranking import State
from sidecar.estimation.accuracy.release import RELEASE
from sidecar.estimation.ranking.order import RankSettings, rank
from tests.support.made_evidence import noisy

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


def test_figures_are_means_over_sources_and_count_promises() -> None:
    def verdict(source: str, covered: float, lost: float, state: State) -> Verdict:
        known = Window(
            workload="tabular",
            kind="tabular",
            source=source,
            target="t",
            seed=0,
            names=("a", "b"),
            unavailable={},
            control=False,
            signals=None,
            doubt=None,
            accuracy=np.array([0.8, 0.7]),
            quality=np.array([0.8, 0.7]),
            measures=dict.fromkeys(NAMES),
            segments={},
        )
        default = Score(pearson=None, spearman=1.0, regret=lost, hits=1.0, mae=0.1)
        return Verdict(known, default, state, "a", "a", lost, among_three=True, covered=covered, width=0.1)

    verdicts = [
        verdict("one", 1.0, 0.0, State.OK),
        verdict("one", 0.0, 0.1, State.OK),
        verdict("other", 0.5, 0.2, State.TIED),
    ]
    found = figures(verdicts)
    assert found["coverage"] == pytest.approx((0.5 + 0.5) / 2)
    assert found["regret"] == pytest.approx((0.05 + 0.2) / 2)
    assert found["ok"] == pytest.approx(2 / 3)
    assert found["ok_kept"] == pytest.approx(0.5)
    assert found["kept_ok"] == pytest.approx(1.0)
    assert found["states"] == {"OK": 2, "TIED": 1}
    assert found["measures"]["jsd"]["regret"] is None


def test_a_window_is_judged_as_the_product_ranks_it() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=400)
    votes = np.stack([noisy(truth, accuracy, 3, rng) for accuracy in (0.9, 0.7, 0.6, 0.5)])
    nothing = (None,) * 4
    evidence = Evidence(nothing, nothing, nothing, ("a", "b", "c"), np.eye(3)[votes], hard=True)
    ranking = rank(
        ["w", "x", "y", "z"], evidence, unavailable={}, rng=np.random.default_rng(0), settings=RankSettings()
    )
    case = Case(
        "pools", "file", "here", "accuracy", ("w", "x", "y", "z"), ("",) * 4, evidence, truth, lambda: ranking
    )
    verdict = judge(window(case, "pools with votes", control=False, seed=0), RELEASE)
    assert verdict.pick == ranking.candidates[0].name
    assert verdict.state is ranking.state
    estimates = {one.name: one.accuracy for one in ranking.candidates}
    values = np.array([one.value for name in case.names if (one := estimates[name])])
    assert verdict.default.mae == pytest.approx(
        np.abs(values - (votes == truth).mean(axis=1)).mean(), abs=1e-6
    )


# Trains fifteen models: a busy machine takes minutes.
@pytest.mark.timeout(400)
def test_digits_run_and_the_cache_gives_the_same_evidence(tmp_path: Path) -> None:
    said: list[str] = []
    ((path, load),) = DIGITS.sources(tmp_path)
    made, again = (list(cases(DIGITS, path, load, tmp_path, seed=3, said=said.append)) for _ in range(2))
    assert sum("trains" in text for text in said) == 3 * len(made)
    for case, other in zip(made, again, strict=True):
        assert case.target not in case.sources
        np.testing.assert_array_equal(list(case.evidence.probabilities), list(other.evidence.probabilities))
        np.testing.assert_array_equal(case.truth, other.truth)
    assert max(accuracies(case.evidence.votes, case.truth).max() for case in made) > 0.8
    verdicts = [judge(window(one, "digits", control=False, seed=3), RELEASE) for one in (made[0], again[0])]
    assert verdicts[0].default == verdicts[1].default
    assert len(verdicts[0].window.names) == 12
