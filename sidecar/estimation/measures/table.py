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
        cost: operations a round; C candidates, n items, K classes, d features, S and T partitions.
        compute: gives each candidate's estimate, or the reason why there is none; all candidates
            that it is given have what it requires.
        estimates_accuracy: whether the value stands for the share of right answers.
        default: whether it is computed where the configuration names no measures.
    """

    name: str
    formula: str
    requires: frozenset[Need]
    direction: int
    cost: str
    compute: Callable[[Evidence], tuple[Estimate | str, ...]]
    estimates_accuracy: bool = False
    default: bool = True


MEASURES: Final[tuple[Measure, ...]] = (
    Measure(
        name="adaptivity",
        formula="#{(i, j): JSD(S_i, T_j) < 0.1} / #T, partitions scaled by themselves",
        requires=frozenset({Need.PROFILE, Need.PARTITION}),
        direction=1,
        cost="C S T bins",
        compute=adaptivity,
    ),
    Measure(
        name="coverage",
        formula="share of T_j with any JSD(S_i, T_j) < tau, scaled by the source's range",
        requires=frozenset({Need.PROFILE, Need.PARTITION, Need.SOURCE_PARTITIONS}),
        direction=1,
        cost="C S T bins",
        compute=coverage,
    ),
    Measure(
        name="feature_coverage",
        formula="mean over columns and T_j of [JSD(column of T_j, column of S) <= tau_column]",
        requires=frozenset({Need.PROFILE, Need.PARTITION, Need.SOURCE_PARTITIONS, Need.FEATURES}),
        direction=1,
        cost="C T d bins",
        compute=feature_coverage,
    ),
    Measure(
        name="graded_adaptivity",
        formula="mean over T_j, S_i of L_i / (L_i + D_j (1 + shift of T_j)); D, L: H^2 to the nearest S_k",
        requires=frozenset({Need.PROFILE, Need.PARTITION, Need.SOURCE_PARTITIONS}),
        direction=1,
        cost="C S T bins",
        compute=graded_adaptivity,
    ),
    Measure(
        name="jsd",
        formula="JSD(S, T), scaled by the source's range, nats",
        requires=frozenset({Need.PROFILE, Need.PARTITIONS}),
        direction=-1,
        cost="C T bins",
        compute=divergence,
    ),
    Measure(
        name="l2d",
        formula="|mean(T) - mean(S)|, features scaled to the source's range",
        requires=frozenset({Need.PROFILE, Need.INPUTS}),
        direction=-1,
        cost="C d",
        compute=l2_distance,
    ),
    Measure(
        name="shift",
        formula="sqrt(mean over features of ((mean(T) - mean(S)) / sd(S))^2, less what noise makes of it)",
        requires=frozenset({Need.PROFILE, Need.INPUTS}),
        direction=-1,
        cost="C d",
        compute=shift,
    ),
    Measure(
        name="column_shift",
        formula="mean over columns of |p_T - p_S|^2 / (|p_T|^2 + |p_S|^2), without bias; p: a column's histogram",
        requires=frozenset({Need.PROFILE, Need.INPUTS}),
        direction=-1,
        cost="C S d bins",
        compute=column_shift,
    ),
    Measure(
        name="moment_shift",
        formula="rms((mean(T) - mean(S)) / sd(T)) + rms(ln(sd(T) / sd(S))), over features",
        requires=frozenset({Need.PROFILE, Need.INPUTS}),
        direction=-1,
        cost="C d",
        compute=moment_shift,
    ),
    Measure(
        name="hellinger",
        formula="sqrt(1 - sum sqrt(p q)) of S and T, scaled by the source's range",
        requires=frozenset({Need.PROFILE, Need.PARTITIONS}),
        direction=-1,
        cost="C T bins",
        compute=hellinger,
    ),
    Measure(
        name="mmd",
        formula="|mean phi(T) - mean phi(S)|^2 without bias; phi: random Fourier features of an item",
        requires=frozenset({Need.PROFILE, Need.PARTITIONS, Need.SOURCE_PARTITIONS, Need.FEATURES}),
        direction=-1,
        cost="C T 256",
        compute=mmd,
    ),
    Measure(
        name="word_jsd",
        formula="JSD(S, T) over the joint 300 most frequent words, nats",
        requires=frozenset({Need.PROFILE, Need.PARTITIONS, Need.WORDS}),
        direction=-1,
        cost="C T words",
        compute=word_jsd,
    ),
    Measure(
        name="word_adaptivity",
        formula="#{(i, j): JSD(S_i, T_j) < 0.6 over the pair's joint 300 most frequent words} / #T",
        requires=frozenset({Need.PROFILE, Need.PARTITION, Need.WORDS}),
        direction=1,
        cost="C S T words log(words)",
        compute=word_adaptivity,
        default=False,
    ),
    Measure(
        name="confidence",
        formula="mean max p",
        requires=frozenset({Need.ITEMS, Need.PROBABILITIES}),
        direction=1,
        cost="C n K",
        compute=confidence,
        estimates_accuracy=True,
    ),
    Measure(
        name="entropy",
        formula="mean of -sum p ln p, nats",
        requires=frozenset({Need.ITEMS, Need.PROBABILITIES}),
        direction=-1,
        cost="C n K",
        compute=entropy,
    ),
    Measure(
        name="margin",
        formula="mean (p1 - p2), the two highest probabilities",
        requires=frozenset({Need.ITEMS, Need.PROBABILITIES}),
        direction=1,
        cost="C n K",
        compute=margin,
    ),
    Measure(
        name="energy",
        formula="mean ln sum exp(logits)",
        requires=frozenset({Need.ITEMS, Need.ENERGY}),
        direction=1,
        cost="C n",
        compute=energy,
    ),
    Measure(
        name="nuclear_norm",
        formula="|P|_* / sqrt(min(n, K) n), P the answers",
        requires=frozenset({Need.ITEMS, Need.PROBABILITIES}),
        direction=1,
        cost="C (n K^2 + K^3)",
        compute=nuclear_norm,
    ),
    Measure(
        name="mano",
        formula="(mean sigma(z)^4)^(1/4); z = ln p, sigma = softmax or 1 + z + z^2/2 normalised",
        requires=frozenset({Need.ITEMS, Need.PROBABILITIES}),
        direction=1,
        cost="C n K",
        compute=matrix_norm,
    ),
    Measure(
        name="cot",
        formula="1 - OT(P, one-hot classes by the source's class shares), half L1 as cost",
        requires=frozenset({Need.ITEMS, Need.PROBABILITIES, Need.PROFILE}),
        direction=1,
        cost="C 50 (n K^2 + K^3)",
        compute=optimal_transport,
        estimates_accuracy=True,
        default=False,
    ),
    Measure(
        name="source_accuracy",
        formula="accuracy on the validation data",
        requires=frozenset({Need.VALIDATION}),
        direction=1,
        cost="C rows of the validation",
        compute=source_accuracy,
        estimates_accuracy=True,
    ),
    Measure(
        name="doc",
        formula="acc_val + mean max p - mean max p on the validation data",
        requires=frozenset({Need.ITEMS, Need.PROBABILITIES, Need.VALIDATION}),
        direction=1,
        cost="C n K",
        compute=difference_of_confidences,
        estimates_accuracy=True,
    ),
    Measure(
        name="atc",
        formula="share of max p >= t, with share_val(max p < t) = error_val",
        requires=frozenset({Need.ITEMS, Need.PROBABILITIES, Need.VALIDATION}),
        direction=1,
        cost="C n K",
        compute=average_thresholded_confidence,
        estimates_accuracy=True,
    ),
    Measure(
        name="cbpe",
        formula="mean of max p, calibrated on the validation data",
        requires=frozenset({Need.ITEMS, Need.PROBABILITIES, Need.VALIDATION}),
        direction=1,
        cost="C n K",
        compute=confidence_based_performance,
        estimates_accuracy=True,
    ),
    Measure(
        name="bbse",
        formula="sum_k q_k recall_k, q = class shares that explain the answers through the validation",
        requires=frozenset({Need.ITEMS, Need.VALIDATION}),
        direction=1,
        cost="C (n + K^3)",
        compute=label_shift_accuracy,
        estimates_accuracy=True,
    ),
    Measure(
        name="agreement",
        formula="mean share of the other candidates that answer the same class",
        requires=frozenset({Need.ITEMS, Need.POOL}),
        direction=1,
        cost="C n",
        compute=agreement,
        estimates_accuracy=True,
    ),
    Measure(
        name="ensv",
        formula="share of items answered as all candidates' mean answer says",
        requires=frozenset({Need.ITEMS, Need.POOL}),
        direction=1,
        cost="C n K",
        compute=ensemble_agreement,
        estimates_accuracy=True,
    ),
    Measure(
        name="aline",
        formula="Phi(x_i), with (x_i + x_j) / 2 = probit(agreement_ij) by least squares",
        requires=frozenset({Need.ITEMS, Need.TRIO}),
        direction=1,
        cost="C^2 n",
        compute=agreement_line,
        estimates_accuracy=True,
    ),
    Measure(
        name="dawid_skene_flat",
        formula="expected correctness under the consensus of all votes (EM over confusions)",
        requires=frozenset({Need.ITEMS, Need.POOL}),
        direction=1,
        cost="50 C n K",
        compute=flat_consensus,
        estimates_accuracy=True,
        default=False,
    ),
    Measure(
        name="dawid_skene",
        formula="the same with validation confusions as prior, near-duplicates sharing a vote",
        requires=frozenset({Need.ITEMS, Need.POOL}),
        direction=1,
        cost="50 C n K + C^2 n",
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


def measure_all(evidence: Evidence, names: Collection[str] = DEFAULT) -> tuple[tuple[MeasureValue, ...], ...]:
    """Computes measures, each on the candidates that have what it requires.

    Args:
        evidence: one round's.
        names: of the measures to compute.

    Returns:
        for each candidate its values, in the order of `names`.

    Raises:
        InvalidError: a name is unknown.
    """
    columns = [_column(find_measure(name), evidence) for name in names]
    return tuple(tuple(column[index] for column in columns) for index in range(len(evidence.profiles)))


def _column(measure: Measure, evidence: Evidence) -> list[MeasureValue]:
    """One measure of every candidate."""
    reasons = [own_lack(evidence, index, measure.requires) for index in range(len(evidence.profiles))]
    able = [index for index, reason in enumerate(reasons) if not reason]
    few = pool_lack(len(able), measure.requires)
    if few or not able:
        answers: dict[int, Estimate | str] = dict.fromkeys(able, few)
    else:
        part = evidence if len(able) == len(reasons) else evidence.of(able)
        answers = dict(zip(able, measure.compute(part), strict=True))
    column = []
    for index, reason in enumerate(reasons):
        answer = answers.get(index, reason)
        estimate, why = (None, answer) if isinstance(answer, str) else (answer, "")
        column.append(MeasureValue(measure.name, measure.direction, estimate, why))
    return column
