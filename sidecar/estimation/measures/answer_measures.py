"""The measures of a candidate's answers, alone or beside those of other candidates, one row each."""

from __future__ import annotations

from typing import Final

from sidecar.estimation.measures.agreement import agreement
from sidecar.estimation.measures.aline import agreement_line
from sidecar.estimation.measures.atc import average_thresholded_confidence
from sidecar.estimation.measures.bbse import label_shift_accuracy
from sidecar.estimation.measures.cbpe import confidence_based_performance
from sidecar.estimation.measures.confidence import confidence
from sidecar.estimation.measures.cost import Cost
from sidecar.estimation.measures.cot import optimal_transport
from sidecar.estimation.measures.dawid_skene import flat_consensus, informed_consensus
from sidecar.estimation.measures.doc import difference_of_confidences
from sidecar.estimation.measures.energy import energy
from sidecar.estimation.measures.ensv import ensemble_agreement
from sidecar.estimation.measures.entropy import entropy
from sidecar.estimation.measures.mano import matrix_norm
from sidecar.estimation.measures.margin import margin
from sidecar.estimation.measures.measure import Measure
from sidecar.estimation.measures.needs import Need
from sidecar.estimation.measures.nuclear_norm import nuclear_norm
from sidecar.estimation.measures.source_accuracy import source_accuracy

ANSWER_MEASURES: Final[tuple[Measure, ...]] = (
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
