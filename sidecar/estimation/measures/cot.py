"""COT: how near the answers come to sure ones whose classes come as often as in the source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sidecar.core.evidence import Evidence
from sidecar.core.labels import align
from sidecar.core.ranking import Estimate
from sidecar.core.tensors import Floats
from sidecar.estimation.measures.interval import mean_estimate

# The highest mean gain is known to this.
TOLERANCE = 1e-6
# The first softness is that of probabilities. Each next one is a quarter, so that a few steps lead
# from one solution to the next; at the last one even equal items are parted to under the tolerance.
_SOFTNESS = 0.25
_SHRINK = 0.25
_LEAST_SOFTNESS = 1e-9
_MAX_STEPS = 60
# Of the items, the share that classes may lack at a solution; and the share that counts as none.
_BALANCED = TOLERANCE / 8
_LEAST_USE = 1e-12
# A step must bring this share of the decrease that its slope promises (Armijo).
_DECREASE = 1e-4
# Answers that are all alike make the curvature nearly singular: it is damped as much as a step needs to bring
# that. Damped to the last number it brings nothing in double precision.
_DAMPING = 1e-9
_CHANGE = 16.0
_LARGEST_DAMPING = 1e6


def optimal_transport(evidence: Evidence) -> tuple[Estimate, ...]:
    """Takes 1 - OT(answers, one-hot classes by the source's class shares), half L1 as cost.

    The cost of moving p to class k is 1 - p_k. The interval is that of the mean over items of what
    each gains at the optimal prices of the classes (envelope theorem).

    Returns:
        value 0 to 1 of each candidate.

    References:
        Lu et al. 2023 (COT).
    """
    answers = []
    for shares, (profile, _) in zip(evidence.probabilities, evidence.sources, strict=True):
        prior = align(profile.class_prior, profile.classes, evidence.labels)
        answers.append(mean_estimate(transport_gains(shares, prior), (0, 1)))
    return tuple(answers)


def transport_gains(gain: Floats, capacity: Floats) -> Floats:
    """Assigns items, in parts too, to classes of limited capacity so that the total gain is highest.

    The dual is minimised over the K prices of the classes, softened by an entropy that shrinks until
    the gap between plan and prices is under TOLERANCE; each step solves one K x K system.

    Args:
        gain: gain of each item in each class, 0 to 1, shape [n, K], n > 0.
        capacity: share of the items that each class takes, sums to 1, shape [K].

    Returns:
        what each item brings at the optimal prices, shape [n]; their mean is the highest mean gain.

    References:
        Peyre & Cuturi 2019, chapters 4 and 5: entropic transport and its semi-dual.
    """
    taking = capacity > 0
    gain, capacity = gain[:, taking], capacity[taking]
    softness = _SOFTNESS
    plan = _balanced(gain, capacity, np.zeros(len(capacity)), softness)
    while plan.gap(gain) > TOLERANCE and softness > _LEAST_SOFTNESS:
        softness *= _SHRINK
        plan = _balanced(gain, capacity, plan.prices, softness)
    return np.asarray(plan.net + capacity @ plan.prices)


@dataclass(frozen=True, slots=True)
class _Plan:
    """Prices of the classes and what items do under them.

    Attributes:
        prices: [K].
        net: highest gain less price of each item [n].
        parts: share of each item in each class, rows sum to 1 [n, K].
        cost: the softened dual.
        lack: capacity less use of each class, the slope of the cost [K].
    """

    prices: Floats
    net: Floats
    parts: Floats
    cost: float
    lack: Floats

    def gap(self, gain: Floats) -> float:
        """How much more the prices promise than the plan brings, a mean over items."""
        brought = (self.parts * (gain - self.prices)).sum(axis=1)
        return float((self.net - brought).mean())


def _plan(gain: Floats, capacity: Floats, prices: Floats, softness: float) -> _Plan:
    parts = gain - prices
    net = parts.max(axis=1)
    parts -= net[:, None]
    parts /= softness
    np.exp(parts, out=parts)
    total = parts.sum(axis=1)
    parts /= total[:, None]
    cost = float(capacity @ prices + (net + softness * np.log(total)).mean())
    return _Plan(prices, net, parts, cost, capacity - parts.mean(axis=0))


def _balanced(gain: Floats, capacity: Floats, prices: Floats, softness: float) -> _Plan:
    """Steps until every class is used to its capacity.

    A Sinkhorn step comes nearer whatever happens, and at once for classes that hardly anybody or
    everybody uses; the damped Newton step after it settles what the classes take from each other.

    References:
        Nocedal & Wright 2006, chapter 10: Levenberg-Marquardt.
    """
    plan = _plan(gain, capacity, prices, softness)
    damping = _DAMPING
    for _ in range(_MAX_STEPS):
        if np.abs(plan.lack).sum() < _BALANCED:
            break
        used = np.maximum(capacity - plan.lack, _LEAST_USE)
        plan = _plan(gain, capacity, plan.prices + softness * np.log(used / capacity), softness)
        used = capacity - plan.lack + _LEAST_USE
        # Prices that all rise alike change nothing: that direction gets the size of the others.
        curvature = np.diag(used) - plan.parts.T @ plan.parts / len(gain) + used.max() / len(used)
        while damping < _LARGEST_DAMPING:
            step = softness * np.linalg.solve(curvature + damping * np.diag(used), plan.lack)
            tried = _plan(gain, capacity, plan.prices - step, softness)
            if tried.cost < plan.cost - _DECREASE * float(step @ plan.lack):
                plan, damping = tried, damping / _CHANGE
                break
            damping *= _CHANGE
        else:
            break
    return plan
