"""The measures that compare the window's inputs with those that a candidate was trained on, one row each."""

from __future__ import annotations

from typing import Final

from sidecar.estimation.measures.adaptivity import adaptivity, coverage, feature_coverage
from sidecar.estimation.measures.column_shift import column_shift
from sidecar.estimation.measures.cost import Cost
from sidecar.estimation.measures.graded import graded_adaptivity
from sidecar.estimation.measures.hellinger import hellinger
from sidecar.estimation.measures.jsd import divergence
from sidecar.estimation.measures.l2d import l2_distance
from sidecar.estimation.measures.measure import Measure
from sidecar.estimation.measures.mmd import mmd
from sidecar.estimation.measures.moments import moment_shift
from sidecar.estimation.measures.needs import Need
from sidecar.estimation.measures.shift import shift
from sidecar.estimation.measures.words import word_adaptivity, word_jsd

INPUT_MEASURES: Final[tuple[Measure, ...]] = (
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
)
