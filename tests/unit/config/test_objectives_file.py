from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.config import ConfigFaultsError, load_config
from sidecar.config.schema import Endpoint
from sidecar.core.preference.constraints import Constraint
from sidecar.core.preference.preference import BY_ACCURACY, Order, Preference
from sidecar.core.preference.value import Lexicographic, WeightedProduct
from sidecar.core.ranking import Estimate

FILE = """\
endpoints:
  - name: digits
    incumbent: us
    candidates:
      - {name: us, profile: us.safetensors, onnx: {path: us.onnx}}
      - {name: eu, profile: eu.safetensors, onnx: {path: eu.onnx}, objectives: OBJECTIVES}
    ranking: RANKING
"""
CANDIDATE, RANKING = "line 6, endpoints[0].candidates[1].objectives", "line 7, endpoints[0].ranking"


def loaded(folder: Path, ranking: str = "{}", objectives: str = "{}") -> Endpoint:
    path = folder / "pilotfish.yaml"
    path.write_text(FILE.replace("OBJECTIVES", objectives).replace("RANKING", ranking))
    return load_config(path).endpoints[0]


def fault(folder: Path, ranking: str = "{}", objectives: str = "{}") -> str:
    with pytest.raises(ConfigFaultsError) as caught:
        loaded(folder, ranking, objectives)
    (only,) = caught.value.faults
    return str(only)


def test_without_a_word_accuracy_alone_counts(tmp_path: Path) -> None:
    assert loaded(tmp_path).ranking.preference == BY_ACCURACY


def test_names_alone_have_their_directions_and_the_usual_weights(tmp_path: Path) -> None:
    text = "{objectives: [accuracy, latency_p99_s, throughput_per_s], constraints: {latency_p99_s: 0.05}}"
    assert loaded(tmp_path, text).ranking.preference == Preference(
        {"accuracy": 1, "latency_p99_s": -1, "throughput_per_s": 1},
        WeightedProduct((1.0, 0.07, 0.07)),
        (Constraint("latency_p99_s", at_most=0.05),),
    )


def test_everything_can_be_said(tmp_path: Path) -> None:
    text = """
      order: p_best
      prefer: lexicographic
      objectives: [{name: accuracy, tolerance: 0.01}, {name: eur, direction: min}]
      constraints:
        accuracy: 0.8
        eur: {limit: 3, probability: 0.5}
        energy_j: {at_most: 2, at_least: 1}
"""
    assert loaded(tmp_path, text).ranking.preference == Preference(
        {"accuracy": 1, "eur": -1},
        Lexicographic((0.01, 0.0)),
        (
            Constraint("accuracy", at_least=0.8),
            Constraint("eur", at_most=3, probability=0.5),
            Constraint("energy_j", at_most=2, at_least=1),
        ),
        Order.P_BEST,
    )


def test_what_is_declared_is_a_number_or_an_interval(tmp_path: Path) -> None:
    declared = loaded(tmp_path, objectives="{eur: 3, energy_j: {value: 2, low: 1}}").candidates[1].objectives
    assert {name: one.estimate for name, one in declared.items()} == {
        "eur": Estimate(3.0, 3.0, 3.0),
        "energy_j": Estimate(2.0, 1.0, 2.0),
    }


@pytest.mark.parametrize(
    ("ranking", "said"),
    [
        ("{objectives: [accuracy, beauty]}", ".objectives[1]: objective 'beauty' is none of accuracy, "),
        (
            "{objectives: [{name: accuracy, direction: min}]}",
            ".objectives[0]: objective 'accuracy' has a fixed",
        ),
        ("{objectives: [energy_j, energy_j]}", ": objective 'energy_j' is listed twice"),
        ("{objectives: []}", ".objectives: "),
        ("{objectives: [Accuracy]}", ".objectives[0].name: "),
        ("{objectives: [{name: accuracy, weight: -1}]}", ".objectives[0].weight: "),
        ("{objectives: [{name: accuracy, weight: .nan}]}", ".objectives[0].weight: "),
        ("{objectives: [{name: accuracy, tolerance: .inf}]}", ".objectives[0].tolerance: "),
        ("{objectives: [{name: accuracy, weight: 0}]}", ": weights are [0.0], which sum to 0"),
        ("{objectives: [{name: accuracy, weight: 0}, energy_j]}", ": the first objective's weight is 0"),
        (
            "{constraints: {energy_j: {}}}",
            ".constraints.energy_j: the constraint has no bound: give a number, at_most or at_least",
        ),
        (
            "{constraints: {energy_j: {probability: 0.5}}}",
            ".constraints.energy_j: the constraint has no bound: give a number, at_most",
        ),
        ("{constraints: {energy_j: null}}", ".constraints.energy_j: the constraint has no bound"),
        ("{constraints: {energy_j: {limit: 1, at_most: 2}}}", ".constraints.energy_j: limit and at_most"),
        ("{constraints: {energy_j: .nan}}", ".constraints.energy_j.limit: "),
        ("{constraints: {energy_j: little}}", ".constraints.energy_j.limit: "),
        ("{constraints: {energy_j: {at_most: 1, probability: 1}}}", ".constraints.energy_j.probability: "),
        ("{constraints: {eur: 3}}", ": constraint eur: its direction is not known: give at_most or at_least"),
        ("{constraints: {energy_j: {at_most: 1, at_least: 2}}}", ": constraint on energy_j: >= 2 and <= 1"),
        ("{constraints: {accuracy: 1.5}}", ": constraint accuracy >= 1.5: accuracy lies between 0 and 1"),
        (
            "{constraints: {latency_p99_s: -1}}",
            ": constraint latency_p99_s <= -1: latency_p99_s lies between",
        ),
        ("{order: beauty}", ".order: "),
        ("{prefer: both}", ".prefer: "),
        ("{false_alarm: 0}", ".false_alarm: "),
        ("{false_alarm: 0.5}", ".false_alarm: "),
        ("{false_alarm: .nan}", ".false_alarm: "),
    ],
)
def test_a_wrong_preference_is_one_fault_with_its_line(tmp_path: Path, ranking: str, said: str) -> None:
    assert fault(tmp_path, ranking).startswith(RANKING + said)


@pytest.mark.parametrize(
    ("objectives", "said"),
    [
        ("{eur: 0}", ".eur.value: "),
        ("{eur: -1}", ".eur.value: "),
        ("{eur: .nan}", ".eur.value: "),
        ("{eur: .inf}", ".eur.value: "),
        ("{eur: null}", ".eur.value: "),
        ("{eur: cheap}", ".eur.value: "),
        ("{eur: {value: 1, low: 2}}", ".eur: low 2.0, value 1.0, high None are not in order"),
        ("{eur: {value: 1, high: 0.5}}", ".eur: low None, value 1.0, high 0.5 are not in order"),
        ("{eur: {value: 1, low: 0}}", ".eur.low: "),
        ("{eur: {value: 1, hihg: 2}}", ".eur.hihg: unknown key; did you mean 'high'?"),
        ("{accuracy: 0.9}", ": accuracy is estimated from the traffic: leave it out"),
    ],
)
def test_a_wrong_declaration_is_one_fault_with_its_line(tmp_path: Path, objectives: str, said: str) -> None:
    assert fault(tmp_path, objectives=objectives).startswith(CANDIDATE + said)


def test_several_faults_are_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigFaultsError) as caught:
        loaded(tmp_path, "{objectives: [beauty], false_alarm: 1}", "{eur: 0, energy_j: {value: 1, low: 2}}")
    assert [one.place.rsplit(".", maxsplit=1)[-1] for one in caught.value.faults] == [
        "value",
        "energy_j",
        "objectives[0]",
        "false_alarm",
    ]
