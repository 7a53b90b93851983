"""The written-out table of measures. A measure is added by one line here.

Its name is added in `sidecar.core.measure_names`, for those who name measures and compute none.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from sidecar.core.evidence import Evidence
from sidecar.core.measure_names import MEASURE_NAMES, known_measure
from sidecar.core.ranking import Estimate, MeasureValue
from sidecar.estimation.measures.adaptivity import adaptivity, coverage, feature_coverage
from sidecar.estimation.measures.agreement import agreement
from sidecar.estimation.measures.aline import agreement_line
from sidecar.estimation.measures.atc import average_thresholded_confidence
from sidecar.estimation.measures.bbse import label_shift_accuracy
from sidecar.estimation.measures.cbpe import confidence_based_performance
from sidecar.estimation.measures.column_shift import column_shift
from sidecar.estimation.measures.confidence import confidence
from sidecar.estimation.measures.cost import Cost, sizes
from sidecar.estimation.measures.cot import optimal_transport
from sidecar.estimation.measures.dawid_skene import flat_consensus, informed_consensus
from sidecar.estimation.measures.doc import difference_of_confidences
from sidecar.estimation.measures.energy import energy
from sidecar.estimation.measures.ensv import ensemble_agreement
from sidecar.estimation.measures.entropy import entropy
from sidecar.estimation.measures.graded import graded_adaptivity
from sidecar.estimation.measures.hellinger import hellinger
from sidecar.estimation.measures.jsd import divergence
from sidecar.estimation.measures.l2d import l2_distance
from sidecar.estimation.measures.mano import matrix_norm
from sidecar.estimation.measures.margin import margin
from sidecar.estimation.measures.mmd import mmd
from sidecar.estimation.measures.moments import moment_shift
from sidecar.estimation.measures.needs import Need, own_lack, pool_lack
from sidecar.estimation.measures.nuclear_norm import nuclear_norm
from sidecar.estimation.measures.shift import shift
from sidecar.estimation.measures.source_accuracy import source_accuracy
from sidecar.estimation.measures.words import word_adaptivity, word_jsd


@dataclass(frozen=True, slots=True)
class Measure:
    """A label-free number about one candidate and the window.

    Attributes:
        name: as on the wire and in the configuration.
        formula: what it is, in words and symbols.
        requires: what must be there; a candidate that lacks it gets the reason, and the others are
            measured without it.
        direction: +1 where higher speaks for the candidate, -1 where lower does.
        cost: processor time a round as a function of its sizes, see `sidecar.estimation.measures.cost`.
        compute: gives each candidate's estimate, or the reason why there is none; all candidates
            that it is given have what it requires.
        estimates_accuracy: whether the value stands for the share of right answers.
        default: whether it is computed where the configuration names no measures and the round can afford
            it.
    """

    name: str
    formula: str
    requires: frozenset[Need]
    direction: int
    cost: Cost
    compute: Callable[[Evidence], tuple[Estimate | str, ...]]
    estimates_accuracy: bool = False
    default: bool = True

    @property
    def looks_alone(self) -> bool:
        """Whether it looks at a candidate's probabilities and at no other candidate."""
        return Need.PROBABILITIES in self.requires and not self.requires & {Need.POOL, Need.TRIO}


MEASURES: Final[tuple[Measure, ...]] = (
    Measure(
        name="adaptivity",
        formula="#{(i, j): JSD(S_i, T_j) < 0.1} / #T, partitions scaled by themselves",
        requires=frozenset({Need.PROFILE, Need.PARTITION}),
        direction=1,
        cost=Cost({"C S T bins": 1.0}),
        compute=adaptivity,
    ),
    Measure(
        name="coverage",
        formula="share of T_j with any JSD(S_i, T_j) < tau, scaled by the source's range",
        requires=frozenset({Need.PROFILE, Need.PARTITION, Need.SOURCE_PARTITIONS}),
        direction=1,
        cost=Cost({"C S T bins": 1.0}),
        compute=coverage,
    ),
    Measure(
        name="feature_coverage",
        formula="mean over columns and T_j of [JSD(column of T_j, column of S) <= tau_column]",
        requires=frozenset({Need.PROFILE, Need.PARTITION, Need.SOURCE_PARTITIONS, Need.FEATURES}),
        direction=1,
        cost=Cost({"C T d bins": 0.5}),
        compute=feature_coverage,
    ),
    Measure(
        name="graded_adaptivity",
        formula="mean over T_j, S_i of L_i / (L_i + D_j (1 + shift of T_j)); D, L: H^2 to the nearest S_k",
        requires=frozenset({Need.PROFILE, Need.PARTITION, Need.SOURCE_PARTITIONS}),
        direction=1,
        cost=Cost({"C S T bins": 1.0}),
        compute=graded_adaptivity,
    ),
    Measure(
        name="jsd",
        formula="JSD(S, T), scaled by the source's range, nats",
        requires=frozenset({Need.PROFILE, Need.PARTITIONS}),
        direction=-1,
        cost=Cost({"C T bins": 10.0}),
        compute=divergence,
    ),
    Measure(
        name="l2d",
        formula="|mean(T) - mean(S)|, features scaled to the source's range",
        requires=frozenset({Need.PROFILE, Need.INPUTS}),
        direction=-1,
        cost=Cost({"C d": 10.0}),
        compute=l2_distance,
    ),
    Measure(
        name="shift",
        formula="sqrt(mean over features of ((mean(T) - mean(S)) / sd(S))^2, less what noise makes of it)",
        requires=frozenset({Need.PROFILE, Need.INPUTS}),
        direction=-1,
        cost=Cost({"C d": 10.0}),
        compute=shift,
    ),
    Measure(
        name="column_shift",
        formula="mean over columns of |p - q|^2 / (|p|^2 + |q|^2), without bias; p, q: histograms of T and S",
        requires=frozenset({Need.PROFILE, Need.INPUTS}),
        direction=-1,
        cost=Cost({"C S d bins": 1.0}),
        compute=column_shift,
    ),
    Measure(
        name="moment_shift",
        formula="rms((mean(T) - mean(S)) / sd(T)) + rms(ln(sd(T) / sd(S))), over features",
        requires=frozenset({Need.PROFILE, Need.INPUTS}),
        direction=-1,
        cost=Cost({"C d": 10.0}),
        compute=moment_shift,
    ),
    Measure(
        name="hellinger",
        formula="sqrt(1 - sum sqrt(p q)) of S and T, scaled by the source's range",
        requires=frozenset({Need.PROFILE, Need.PARTITIONS}),
        direction=-1,
        cost=Cost({"C T bins": 10.0}),
        compute=hellinger,
    ),
    Measure(
        name="mmd",
        formula="|mean phi(T) - mean phi(S)|^2 without bias; phi: random Fourier features of an item",
        requires=frozenset({Need.PROFILE, Need.PARTITIONS, Need.SOURCE_PARTITIONS, Need.FEATURES}),
        direction=-1,
        cost=Cost({"C T waves": 10.0}),
        compute=mmd,
    ),
    Measure(
        name="word_jsd",
        formula="JSD(S, T) over the joint 300 most frequent words, nats",
        requires=frozenset({Need.PROFILE, Need.PARTITIONS, Need.WORDS}),
        direction=-1,
        cost=Cost({"C T words": 20.0}),
        compute=word_jsd,
    ),
    Measure(
        name="word_adaptivity",
        formula="#{(i, j): JSD(S_i, T_j) < 0.6 over the pair's joint 300 most frequent words} / #T",
        requires=frozenset({Need.PROFILE, Need.PARTITION, Need.WORDS}),
        direction=1,
        cost=Cost({"C S T words": 50.0}),
        compute=word_adaptivity,
        default=False,
    ),
    Measure(
        name="confidence",
        formula="mean max p",
        requires=frozenset({Need.ITEMS, Need.PROBABILITIES}),
        direction=1,
        cost=Cost({"C n K": 0.5}),
        compute=confidence,
        estimates_accuracy=True,
    ),
    Measure(
        name="entropy",
        formula="mean of -sum p ln p, nats",
        requires=frozenset({Need.ITEMS, Need.PROBABILITIES}),
        direction=-1,
        cost=Cost({"C n K": 3.0}),
        compute=entropy,
    ),
    Measure(
        name="margin",
        formula="mean (p1 - p2), the two highest probabilities",
        requires=frozenset({Need.ITEMS, Need.PROBABILITIES}),
        direction=1,
        cost=Cost({"C n K": 1.0}),
        compute=margin,
    ),
    Measure(
        name="energy",
        formula="mean ln sum exp(logits)",
        requires=frozenset({Need.ITEMS, Need.ENERGY}),
        direction=1,
        cost=Cost({"C n": 5.0}),
        compute=energy,
    ),
    Measure(
        name="nuclear_norm",
        formula="|P|_* / sqrt(min(n, K) n), P the answers",
        requires=frozenset({Need.ITEMS, Need.PROBABILITIES}),
        direction=1,
        cost=Cost({"C n K^2": 0.05, "C K^3": 0.4}),
        compute=nuclear_norm,
    ),
    Measure(
        name="mano",
        formula="(mean sigma(z)^4)^(1/4); z = ln p, sigma = softmax or 1 + z + z^2/2 normalised",
        requires=frozenset({Need.ITEMS, Need.PROBABILITIES}),
        direction=1,
        cost=Cost({"C n K": 6.0}),
        compute=matrix_norm,
    ),
    Measure(
        name="cot",
        formula="1 - OT(P, one-hot classes by the source's class shares), half L1 as cost",
        requires=frozenset({Need.ITEMS, Need.PROBABILITIES, Need.PROFILE}),
        direction=1,
        cost=Cost({"50 C n K^2": 0.05, "50 C K^3": 0.1}),
        compute=optimal_transport,
        estimates_accuracy=True,
        default=False,
    ),
    Measure(
        name="source_accuracy",
        formula="accuracy on the validation data",
        requires=frozenset({Need.VALIDATION}),
        direction=1,
        cost=Cost({"C V": 5.0, "C K": 1.0}),
        compute=source_accuracy,
        estimates_accuracy=True,
    ),
    Measure(
        name="doc",
        formula="acc_val + mean max p - mean max p on the validation data",
        requires=frozenset({Need.ITEMS, Need.PROBABILITIES, Need.VALIDATION}),
        direction=1,
        cost=Cost({"C n K": 0.5}),
        compute=difference_of_confidences,
        estimates_accuracy=True,
    ),
    Measure(
        name="atc",
        formula="share of max p >= t, with share_val(max p < t) = error_val",
        requires=frozenset({Need.ITEMS, Need.PROBABILITIES, Need.VALIDATION}),
        direction=1,
        cost=Cost({"C n K": 0.5}),
        compute=average_thresholded_confidence,
        estimates_accuracy=True,
    ),
    Measure(
        name="cbpe",
        formula="mean of max p, calibrated on the validation data",
        requires=frozenset({Need.ITEMS, Need.PROBABILITIES, Need.VALIDATION}),
        direction=1,
        cost=Cost({"C n K": 0.5}),
        compute=confidence_based_performance,
        estimates_accuracy=True,
    ),
    Measure(
        name="bbse",
        formula="sum_k q_k recall_k, q = class shares that explain the answers through the validation",
        requires=frozenset({Need.ITEMS, Need.VALIDATION}),
        direction=1,
        cost=Cost({"C n": 5.0, "C K^3": 0.4}),
        compute=label_shift_accuracy,
        estimates_accuracy=True,
    ),
    Measure(
        name="agreement",
        formula="mean share of the other candidates that answer the same class",
        requires=frozenset({Need.ITEMS, Need.POOL}),
        direction=1,
        cost=Cost({"C n": 10.0}),
        compute=agreement,
        estimates_accuracy=True,
    ),
    Measure(
        name="ensv",
        formula="share of items answered as all candidates' mean answer says",
        requires=frozenset({Need.ITEMS, Need.POOL}),
        direction=1,
        cost=Cost({"C n K": 1.0}),
        compute=ensemble_agreement,
        estimates_accuracy=True,
    ),
    Measure(
        name="aline",
        formula="Phi(x_i), with (x_i + x_j) / 2 = probit(agreement_ij) by least squares",
        requires=frozenset({Need.ITEMS, Need.TRIO}),
        direction=1,
        cost=Cost({"C^2 n": 1.0}),
        compute=agreement_line,
        estimates_accuracy=True,
    ),
    Measure(
        name="dawid_skene_flat",
        formula="expected correctness under the consensus of all votes (EM over confusions)",
        requires=frozenset({Need.ITEMS, Need.POOL}),
        direction=1,
        cost=Cost({"50 C n K": 2.0}),
        compute=flat_consensus,
        estimates_accuracy=True,
        default=False,
    ),
    Measure(
        name="dawid_skene",
        formula="the same with validation confusions as prior, near-duplicates sharing a vote",
        requires=frozenset({Need.ITEMS, Need.POOL}),
        direction=1,
        cost=Cost({"50 C n K": 2.0, "C^2 n": 1.0}),
        compute=informed_consensus,
        estimates_accuracy=True,
        default=False,
    ),
)
_BY_NAME: Final = {measure.name: measure for measure in MEASURES}
DEFAULT: Final = tuple(measure.name for measure in MEASURES if measure.default)
if [(measure.name, measure.default) for measure in MEASURES] != [*MEASURE_NAMES.items()]:
    raise AssertionError(
        "sidecar.core.measure_names says other names, another order or other defaults: mend it"
    )


def find_measure(name: str) -> Measure:
    """Looks a measure up.

    Raises:
        InvalidError: there is none of that name; the nearest is named.
    """
    return _BY_NAME[known_measure(name)]


def measure_all(
    evidence: Evidence, names: Collection[str] | None = None, alive: Callable[[], None] = lambda: None
) -> tuple[tuple[MeasureValue, ...], ...]:
    """Computes measures, each on the candidates that have what it requires.

    Args:
        evidence: one round's.
        names: of the measures to compute, whatever they cost; None: the default ones, of which those that
            would take too much of a round have a reason in place of a value.
        alive: called between one piece of work and the next.

    Returns:
        for each candidate its values, in the order of `names`.

    Raises:
        InvalidError: a name is unknown.
    """
    wanted = [find_measure(name) for name in (DEFAULT if names is None else names)]
    of = sizes(evidence)
    columns = [
        _Column(measure, evidence, "" if names is not None else measure.cost.excess(of)) for measure in wanted
    ]
    alone = [column for column in columns if column.measure.looks_alone]
    for candidate in sorted({index for column in alone for index in column.able}):
        # All that look at every probability of a candidate take their turn while these are in memory.
        held = evidence.held(candidate)
        for column in alone:
            if candidate in column.able:
                column.answers[candidate] = column.measure.compute(held)[0]
                alive()
    for column in columns:
        if column not in alone and column.able:
            part = evidence if len(column.able) == len(evidence.profiles) else evidence.of(column.able)
            column.answers |= zip(column.able, column.measure.compute(part), strict=True)
            alive()
    return tuple(tuple(column.value(index) for column in columns) for index in range(len(evidence.profiles)))


class _Column:
    """One measure of every candidate: who has what it requires, and what came of it."""

    def __init__(self, measure: Measure, evidence: Evidence, excess: str) -> None:
        candidates = range(len(evidence.profiles))
        reasons = [own_lack(evidence, index, measure.requires) or excess for index in candidates]
        able = [index for index in candidates if not reasons[index]]
        few = pool_lack(len(able), measure.requires)
        self.measure = measure
        self.able = [] if few else able
        self.answers: dict[int, Estimate | str] = {index: reasons[index] or few for index in candidates}

    def value(self, candidate: int) -> MeasureValue:
        """What there is of a candidate."""
        answer = self.answers[candidate]
        estimate, why = (None, answer) if isinstance(answer, str) else (answer, "")
        return MeasureValue(self.measure.name, self.measure.direction, estimate, why)
