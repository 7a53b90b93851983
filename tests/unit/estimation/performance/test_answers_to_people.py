from __future__ import annotations

import numpy as np
import pytest

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Floats
from sidecar.estimation.performance.explain import explain
from sidecar.estimation.performance.fit import fit
from sidecar.estimation.performance.source import Source
from sidecar.estimation.performance.suggest import Choice, cheapest, next_to_measure
from tests.support.performance_system import CONSTRAINED, SPACE, elsewhere, here, measured, source_cost


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_what_is_suggested_was_not_measured_and_is_different() -> None:
    model = fit([elsewhere()], here(10), "latency_s")
    codes = next_to_measure(model, 5, rng())
    assert len(np.unique(codes, axis=0)) == 5
    measured_rows = {row.tobytes() for row in model.task.measured.codes}
    assert not any(row.tobytes() in measured_rows for row in codes)


def test_nothing_is_suggested_where_everything_is_measured() -> None:
    table = measured(SPACE, "all", source_cost, SPACE.size, seed=0)
    assert next_to_measure(fit([], table, "latency_s"), 3, rng()).shape == (0, 5)


def test_the_first_suggestion_is_where_the_model_knows_least() -> None:
    model = fit([elsewhere()], here(10), "latency_s")
    sds = model.log_prediction(SPACE.every())[1]
    first = next_to_measure(model, 1, rng())
    assert model.log_prediction(first)[1][0] == pytest.approx(sds.max(), rel=1e-6)


def test_measuring_what_is_suggested_teaches_more_than_measuring_by_chance() -> None:
    def cost(codes: Floats) -> Floats:
        return source_cost(codes) + np.where(codes[:, 1] == 2, 0.8 * codes[:, 4], 0.0)

    errors: dict[str, list[float]] = {"suggested": [], "chance": []}
    asked = SPACE.every()
    for seed in range(4):
        start = measured(SPACE, "here", cost, 6, seed)
        model = fit([elsewhere()], start, "latency_s")
        for way, found_errors in errors.items():
            chance = SPACE.draw(10, np.random.default_rng(seed + 50))
            more = next_to_measure(model, 10, rng()) if way == "suggested" else chance
            codes = np.concatenate([start.codes, more])
            values = {"latency_s": np.exp(cost(codes))}
            found = fit([elsewhere()], type(start)(SPACE, {}, codes, values), "latency_s").predict(asked)
            found_errors.append(float(np.abs(found.value / np.exp(cost(asked)) - 1).mean()))
    assert np.mean(errors["suggested"]) < 1.1 * np.mean(errors["chance"])


def test_the_cheapest_configuration_keeps_its_limits_and_the_constraints() -> None:
    table = measured(CONSTRAINED, "a", source_cost, 200, seed=0)
    source = Source.learn(table, "latency_s")
    model = fit([source], measured(CONSTRAINED, "b", source_cost, 20, seed=1), "latency_s")
    throughput = {"latency_s": model}
    found = cheapest(throughput, "latency_s", {"latency_s": 1.0}, rng())
    assert isinstance(found, Choice)
    CONSTRAINED.code(found.configuration)
    assert found.metrics["latency_s"].high <= 1.0
    predicted = model.predict(CONSTRAINED.every())
    assert found.metrics["latency_s"].value == pytest.approx(predicted.value[predicted.high <= 1.0].min())


def test_limits_that_nothing_keeps_are_answered_with_the_nearest() -> None:
    model = fit([elsewhere()], here(10), "latency_s")
    found = cheapest({"latency_s": model}, "latency_s", {"latency_s": 1e-9}, rng())
    assert isinstance(found, str)
    assert "none of 432 configurations keeps all limits" in found
    assert "(limit 1e-09)" in found


def test_a_limit_without_a_model_is_refused() -> None:
    model = fit([elsewhere()], here(10), "latency_s")
    with pytest.raises(InvalidError, match="no model of 'energy_j': use one of latency_s"):
        cheapest({"latency_s": model}, "latency_s", {"energy_j": 1.0}, rng())


def test_influences_are_the_shares_of_variance_of_an_additive_system() -> None:
    def cost(codes: Floats) -> Floats:
        return 0.8 * np.log(codes[:, 2]) - 0.4 * np.log(codes[:, 0])

    table = measured(SPACE, "additive", cost, SPACE.size, seed=0, noise=0.001)
    found = {
        one.options: one
        for one in explain(fit([Source.learn(table, "latency_s")], table, "latency_s"), rng())
    }
    variances = {"batch": (0.8 * np.log([1, 4, 16, 64])).var(), "threads": (0.4 * np.log([1, 2, 4, 8])).var()}
    for name, variance in variances.items():
        share = variance / sum(variances.values())
        assert found[name,].target == pytest.approx(share, abs=0.01)
        assert found[name,].sources[0] == pytest.approx(share, abs=0.01)
    assert sum(one.target for one in found.values()) == pytest.approx(1, abs=0.01)


def test_an_interaction_is_told_apart_from_its_options() -> None:
    def cost(codes: Floats) -> Floats:
        return 2.0 * (codes[:, 4] - 0.5) * (codes[:, 3] - 1)

    table = measured(SPACE, "crossed", cost, SPACE.size, seed=0, noise=0.001)
    strongest = explain(fit([], table, "latency_s"), rng())[0]
    assert strongest.options == ("level", "share")
    assert strongest.target > 0.98
    assert strongest.sources == ()
