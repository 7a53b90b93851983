"""What counts, over real sockets: the caller's preference, watching for changes, baselines, metrics."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import yaml
from pilotfish.v1 import candidate_pb2, ranking_pb2, traffic_pb2
from prometheus_client.parser import text_string_to_metric_families

from sidecar.core.tensors import Array
from sidecar.tools.cli.rank import rank
from tests.support.models import DigitsModels
from tests.support.running_sidecar import (
    ENDPOINT,
    WAIT_S,
    RunningSidecar,
    candidate,
    running,
    states,
    write_profiles,
)

COST = "eur_per_item"
BY_COST = ranking_pb2.Objective(name=COST, direction=ranking_pb2.DIRECTION_MIN, weight=1.0)
ACCURACY = ranking_pb2.Objective(name="accuracy")
# On upright traffic the upright model is right about twice as often; it costs a hundred times as much.
CANDIDATES = [
    {**candidate("upright"), "objectives": {COST: {"value": 10, "low": 9, "high": 11}}},
    {**candidate("rotated"), "objectives": {COST: 0.1}},
]
FAMILIES = {
    "pilotfish_recommendation_evidence_ratio",
    "pilotfish_ranking_overlap_ratio",
    "pilotfish_ranking_kendall_tau",
    "pilotfish_ranking_top_changed",
    "pilotfish_candidate_recommended",
    "pilotfish_candidate_expected_regret",
    "pilotfish_candidate_nondominated_probability_ratio",
    "pilotfish_candidate_efficiency_ratio",
    "pilotfish_candidate_objective",
    "pilotfish_candidate_objective_low",
    "pilotfish_candidate_objective_high",
}


@pytest.fixture(scope="module")
def folder(digits_models: DigitsModels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("objectives")
    write_profiles(digits_models, path)
    return path


def push(sidecar: RunningSidecar, images: Array, site: str = "here") -> None:
    """Items that come by themselves, with where they are from."""

    def item(image: Array) -> traffic_pb2.ObserveRequest:
        tensor = traffic_pb2.Tensor(name="X", datatype="FP32", shape=[1, 64], contents=image.tobytes())
        return traffic_pb2.ObserveRequest(endpoint=ENDPOINT, inputs=[tensor], metadata={"x-site": site})

    sidecar.traffic.Observe(iter([item(image) for image in images]), timeout=WAIT_S)


def get(
    sidecar: RunningSidecar, preference: ranking_pb2.Preference | None = None, segment: str = ""
) -> ranking_pb2.Ranking:
    request = ranking_pb2.GetRankingRequest(endpoint=ENDPOINT, segment=segment, preference=preference)
    return sidecar.rankings.GetRanking(request, timeout=WAIT_S).ranking


def of(items: int) -> Callable[[ranking_pb2.Ranking], bool]:
    return lambda ranking: ranking.items == items


def names(ranking: ranking_pb2.Ranking) -> list[str]:
    return [one.name for one in ranking.candidates]


def refused(sidecar: RunningSidecar, preference: ranking_pb2.Preference) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        get(sidecar, preference)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    return str(caught.value.details())


def test_a_callers_preference_changes_the_answer(folder: Path, digits_models: DigitsModels) -> None:
    at_most_1 = ranking_pb2.Constraint(objective=COST, at_most=1.0)
    with running(folder, capture=[], candidates=CANDIDATES) as sidecar:
        sidecar.ranking_when(lambda ranking: ranking.round >= 1)
        early = get(sidecar, ranking_pb2.Preference(objectives=[BY_COST]))
        assert early.state == ranking_pb2.STATE_INSUFFICIENT_DATA
        push(sidecar, digits_models.validation["upright"][:200])
        own = sidecar.ranking_when(of(200))
        assert names(own) == ["upright", "rotated"]
        assert [one.name for one in own.preference.objectives] == ["accuracy"]
        assert {one.name for one in own.candidates[0].objectives} == {"accuracy", COST}
        assert own.recommendation.candidate == "upright"
        assert [one.recommended for one in own.candidates] == [True, False]

        traded = get(sidecar, ranking_pb2.Preference(objectives=[ACCURACY, BY_COST]))
        assert names(traded) == ["rotated", "upright"]
        assert [one.rank for one in traded.candidates] == [1, 2]
        assert traded.round >= own.round
        assert traded.made_at.seconds > 0
        assert [one.weight for one in traded.preference.objectives] == [1.0, 1.0]
        # What is recommended goes by the endpoint's own preference.
        assert [one.recommended for one in traded.candidates] == [False, True]
        assert not traded.HasField("recommendation")
        assert sum(one.p_best for one in traded.candidates) == pytest.approx(1)

        bounded = get(sidecar, ranking_pb2.Preference(constraints=[at_most_1]))
        assert names(bounded) == ["rotated", "upright"]
        last = bounded.candidates[1]
        assert (last.rank, last.state) == (0, ranking_pb2.STATE_BREAKS_CONSTRAINT)
        assert last.reason == "eur_per_item <= 1 holds with probability 0.00; 0.9 is wanted"
        assert (last.p_feasible, bounded.candidates[0].p_feasible) == (0, 1)

        unknown = get(sidecar, ranking_pb2.Preference(objectives=[ranking_pb2.Objective(name="energy_j")]))
        assert states(unknown) == {"upright": "INSUFFICIENT_DATA", "rotated": "INSUFFICIENT_DATA"}
        assert unknown.state == ranking_pb2.STATE_INSUFFICIENT_DATA
        assert names(get(sidecar)) == ["upright", "rotated"]

        for preference, said in (
            (ranking_pb2.Preference(objectives=[ranking_pb2.Objective(name="beauty")]), "set its direction"),
            (ranking_pb2.Preference(objectives=[ACCURACY, ACCURACY]), "is listed twice"),
            (ranking_pb2.Preference(order=99), "order 99 is not known"),  # type: ignore[arg-type]
            (
                ranking_pb2.Preference(
                    objectives=[ranking_pb2.Objective(name="accuracy", weight=1e-9), BY_COST]
                ),
                "put the objective with the largest weight first",
            ),
            (
                ranking_pb2.Preference(
                    constraints=[at_most_1, ranking_pb2.Constraint(objective=COST, at_least=2.0)]
                ),
                "no candidate can satisfy it",
            ),
        ):
            assert said in refused(sidecar, preference)


def test_the_endpoints_own_preference_decides_what_is_watched_and_scraped(
    folder: Path, digits_models: DigitsModels
) -> None:
    ranking = {
        "every": "50ms",
        "objectives": ["accuracy", {"name": COST, "direction": "min", "weight": 1}],
        "constraints": {COST: {"at_most": 1, "probability": 0.8}},
    }
    with running(folder, capture=[], candidates=CANDIDATES, ranking=ranking) as sidecar:
        push(sidecar, digits_models.validation["upright"][:100])
        found = sidecar.ranking_when(of(100))
        assert states(found)["upright"] == "BREAKS_CONSTRAINT"
        assert names(found) == ["rotated", "upright"]
        assert [one.objective for one in found.preference.constraints] == [COST]
        page = metrics(sidecar)
        assert page["pilotfish_candidate_feasible_probability_ratio", "upright"] == 0
        assert ("pilotfish_candidate_rank", "upright") not in page
        assert page["pilotfish_candidate_rank", "rotated"] == 1


def metrics(sidecar: RunningSidecar) -> dict[tuple[str, str], float]:
    """Values by name and candidate or against what."""
    with urllib.request.urlopen(f"{sidecar.http}/metrics", timeout=WAIT_S) as response:
        text = response.read().decode()
    assert "nan" not in text.lower()
    return {
        (sample.name, sample.labels.get("candidate", sample.labels.get("against", ""))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.get("objective", COST) == COST
    }


def test_a_segment_has_the_callers_preference_too(folder: Path, digits_models: DigitsModels) -> None:
    with running(folder, capture=[], candidates=CANDIDATES, segments={"metadata": "x-site"}) as sidecar:
        push(sidecar, digits_models.validation["upright"][:100], "up")
        push(sidecar, digits_models.validation["rotated"][:80], "turned")
        sidecar.ranking_when(lambda ranking: ranking.items == 180 and len(ranking.segments) == 2)
        by_cost = ranking_pb2.Preference(objectives=[ACCURACY, BY_COST])
        assert names(get(sidecar, segment="up")) == ["upright", "rotated"]
        found = get(sidecar, by_cost, segment="up")
        assert (found.segment, found.items, names(found)) == ("up", 100, ["rotated", "upright"])
        with pytest.raises(grpc.RpcError) as caught:
            get(sidecar, by_cost, segment="down")
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND


def register(sidecar: RunningSidecar, name: str) -> None:
    wanted = candidate_pb2.Candidate(name=name, profile_path="rotated.safetensors", onnx_path="rotated.onnx")
    sidecar.candidates.RegisterCandidate(
        candidate_pb2.RegisterCandidateRequest(endpoint=ENDPOINT, candidate=wanted)
    )


def test_a_watcher_hears_of_changes_and_drift_is_counted_from_a_baseline(
    folder: Path, digits_models: DigitsModels
) -> None:
    images = digits_models.validation["upright"]
    with running(folder, capture=[], candidates=CANDIDATES) as sidecar:
        push(sidecar, images[:200])
        settled = sidecar.ranking_when(of(200))
        watch = sidecar.rankings.WatchRanking(
            ranking_pb2.WatchRankingRequest(endpoint=ENDPOINT), timeout=WAIT_S
        )
        changes = iter(watch)
        assert names(next(changes).ranking) == ["upright", "rotated"]

        # Three rounds that change nothing but numbers: the next message is of what comes after them.
        for items in (210, 220, 230):
            push(sidecar, images[items - 10 : items])
            quiet = sidecar.ranking_when(of(items))
            assert states(quiet) == states(settled)
        register(sidecar, "third")
        heard = next(changes).ranking
        assert "third" in names(heard)
        assert heard.round > quiet.round
        sidecar.ranking_when(lambda ranking: states(ranking).get("third", "UNAVAILABLE") != "UNAVAILABLE")

        pinned = sidecar.rankings.PinBaseline(
            ranking_pb2.PinBaselineRequest(endpoint=ENDPOINT), timeout=WAIT_S
        ).round
        assert pinned >= heard.round
        sidecar.candidates.RemoveCandidate(
            candidate_pb2.RemoveCandidateRequest(endpoint=ENDPOINT, name="third")
        )
        gone = next(one.ranking for one in changes if "third" not in names(one.ranking))
        assert gone.since_baseline.round == pinned
        assert gone.since_previous.round < gone.round
        watch.cancel()

        kept = sidecar.rankings.ListRevisions(
            ranking_pb2.ListRevisionsRequest(endpoint=ENDPOINT), timeout=WAIT_S
        ).revisions
        rounds = [one.round for one in kept]
        assert rounds == sorted(rounds, reverse=True)
        assert rounds[0] == gone.round
        assert not set(rounds) & set(range(settled.round + 1, heard.round))
        one = sidecar.rankings.ListRevisions(
            ranking_pb2.ListRevisionsRequest(endpoint=ENDPOINT, count=1), timeout=WAIT_S
        ).revisions
        assert [revision.round for revision in one] == rounds[:1]

        why = sidecar.explain("upright")
        assert why.p_beats.keys() == {"rotated"}
        other = sidecar.explain("rotated")
        assert why.p_beats["rotated"] + other.p_beats["upright"] == pytest.approx(1)
        assert why.candidate.recommended
        assert not other.candidate.recommended

        page = metrics(sidecar)
        assert {name for name, _ in page} >= FAMILIES
        assert page["pilotfish_candidate_objective", "rotated"] == pytest.approx(0.1)
        assert page["pilotfish_candidate_recommended", "upright"] == 1
        assert page["pilotfish_ranking_top_changed", "baseline"] == 0

        with pytest.raises(grpc.RpcError) as caught:
            sidecar.rankings.PinBaseline(ranking_pb2.PinBaselineRequest(endpoint="other"), timeout=WAIT_S)
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND


def offline(folder: Path, **settings: Any) -> dict[str, Any]:  # noqa: ANN401 - YAML
    path = folder / "candidates.yaml"
    path.write_text(yaml.safe_dump({"candidates": CANDIDATES, "ranking": settings}))
    data = folder / "upright-live.npz"
    return {"candidates": path, "data": data, "features": "X"}


def test_a_file_is_ranked_by_what_its_candidates_cost(
    folder: Path,
    digits_models: DigitsModels,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    np.savez(folder / "upright-live.npz", X=digits_models.validation["upright"][:200])
    rank(**offline(folder), format="json")
    assert [one["name"] for one in json.loads(capsys.readouterr().out)["candidates"]] == [
        "upright",
        "rotated",
    ]

    traded = offline(folder, objectives=["accuracy", {"name": COST, "direction": "min", "weight": 1}])
    rank(**traded, format="json")
    document = json.loads(capsys.readouterr().out)
    first = document["candidates"][0]
    assert (first["name"], first["rank"]) == ("rotated", 1)
    assert first["expected_regret"] < 0.01
    assert {one["name"]: one["value"]["value"] for one in first["objectives"]}[COST] == pytest.approx(0.1)
    assert [one["name"] for one in document["preference"]["objectives"]] == ["accuracy", COST]
    rank(**traded)
    table = capsys.readouterr().out
    assert COST in table
    assert "regret" in table

    rank(**offline(folder, constraints={COST: {"at_most": 1}}))
    table = capsys.readouterr().out
    assert "BREAKS_CONSTRAINT" in table
    assert "eur_per_item <= 1 holds with probability" in table.replace("\n", " ")
