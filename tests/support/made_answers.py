"""Labelled answers, validations made from them, and strategies over both."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from sidecar.core.evidence import Evidence
from sidecar.core.profile import SourceProfile, Validation
from sidecar.core.ranking import Estimate
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.measures.table import MEASURES, measure_all
from tests.support.made_evidence import evidence, profile

ROWS = np.random.default_rng(0).normal(size=(300, 2))
WINDOW = np.random.default_rng(1).normal(size=(200, 2))
_BINS = 15
# Measures that look at the answers; all others look at the inputs.
ANSWERS = [
    *("confidence", "entropy", "margin", "energy", "nuclear_norm", "mano", "cot"),
    *("source_accuracy", "doc", "atc", "cbpe", "bbse"),
    *("agreement", "ensv", "aline", "dawid_skene_flat", "dawid_skene"),
]
INPUTS = [measure.name for measure in MEASURES if measure.name not in ANSWERS]


def validation(shares: Floats, truth: Array) -> Validation:
    """What a profile keeps of labelled answers, counted row by row."""
    classes = shares.shape[1]
    confusion = np.zeros((classes, classes), dtype=np.int64)
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(_BINS)]
    for row, true in zip(shares, truth, strict=True):
        voted, confidence = int(row.argmax()), float(row.max())
        confusion[true, voted] += 1
        bins[min(int(confidence * _BINS), _BINS - 1)].append((confidence, voted == true))
    calibration = [[len(one), *(np.mean(one, axis=0) if one else (0, 0))] for one in bins]
    quantiles = np.quantile(shares.max(axis=1), np.linspace(0, 1, 101))
    return Validation(len(truth), confusion, quantiles, np.array(calibration))


def validated(
    shares: Floats, truth: Array, labels: Sequence[str], prior: Floats | None = None
) -> SourceProfile:
    """A profile with this validation and these class shares."""
    made = profile(ROWS, labels)
    return dataclasses.replace(
        made,
        validation=validation(shares, truth),
        class_prior=made.class_prior if prior is None else prior,
    )


def labelled(classes: int, items: int, sharpness: float, rng: np.random.Generator) -> tuple[Floats, Array]:
    """Answers that are the likelier right the sharper they are, and the true classes."""
    logits = rng.normal(size=(items, classes)) * 2
    truth = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    powers = np.exp(logits * sharpness)
    return powers / powers.sum(axis=1, keepdims=True), truth


@st.composite
def pools(draw: st.DrawFn) -> Evidence:
    """Three to five candidates, two to four classes, with profiles, validations and energies."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    candidates, classes, items = draw(st.integers(3, 5)), draw(st.integers(2, 4)), draw(st.integers(1, 40))
    labels = "abcd"[:classes]
    sharpness = rng.uniform(0.3, 2, candidates)
    profiles = [
        validated(*labelled(classes, 120, one, rng), labels, rng.dirichlet(np.full(classes, 3.0)))
        for one in sharpness
    ]
    shares = np.stack([labelled(classes, items, one, rng)[0] for one in sharpness])
    made = evidence(profiles, WINDOW, shares, labels)
    return dataclasses.replace(made, energies=tuple(rng.normal(size=(candidates, items))))


def known(shares: Array) -> Evidence:
    """Evidence of candidates known by their answers only."""
    nothing = (None,) * len(shares)
    labels = tuple("abcdefghij"[: shares.shape[2]])
    return Evidence(nothing, nothing, nothing, labels, shares)


def measured(of: Evidence, name: str) -> list[Estimate]:
    """One measure of all candidates, which all have it."""
    estimates = [values[0].estimate for values in measure_all(of, [name])]
    found = [estimate for estimate in estimates if estimate is not None]
    assert len(found) == len(estimates), [values[0].reason for values in measure_all(of, [name])]
    return found


def values(of: Evidence, name: str) -> list[float]:
    """The values of `measured`."""
    return [estimate.value for estimate in measured(of, name)]
