"""The whole sidecar over real sockets: traffic in, rankings out, and what happens when things break."""

from __future__ import annotations

import asyncio
import os
import signal
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from pilotfish.v1 import candidate_pb2, ranking_pb2, traffic_pb2
from tritonclient.utils import InferenceServerException

from sidecar.core.tensors import Array
from sidecar.formats.profile import read_profile, write_profile
from tests.support.models import DigitsModels
from tests.support.running_sidecar import (
    ENDPOINT,
    GRACE_S,
    WAIT_S,
    RunningSidecar,
    candidate,
    configuration,
    infer,
    metrics,
    running,
    states,
    write,
    write_profiles,
)

GET = ranking_pb2.GetRankingRequest(endpoint=ENDPOINT)


@pytest.fixture(scope="module")
def folder(digits_models: DigitsModels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sidecar")
    write_profiles(digits_models, path)
    (path / "broken.onnx").write_bytes(b"no model at all")
    return path


def test_traffic_becomes_a_ranking(folder: Path, digits_models: DigitsModels) -> None:
    with running(folder) as sidecar:
        empty = sidecar.ranking_when(lambda ranking: ranking.round >= 1)
        assert empty.state == ranking_pb2.STATE_INSUFFICIENT_DATA
        assert not any(one.HasField("accuracy") for one in empty.candidates)

        images = digits_models.validation["rotated"][:300]
        sidecar.send(images)
        ranking = sidecar.ranking_when(lambda ranking: ranking.items == 300)
        assert ranking.candidates[0].name == "rotated"
        assert ranking.candidates[0].accuracy.low <= ranking.candidates[0].accuracy.value
        assert states(ranking) == {"rotated": "OK", "upright": "NEAR_CHANCE"}
        assert sidecar.rankings.GetRanking(GET).ranking.items == 300

        why = sidecar.explain("upright")
        assert {measure.name for measure in why.measures} >= {"coverage", "jsd", "confidence", "entropy"}
        assert why.shifted_features[0].divergence > why.shifted_features[0].threshold
        assert why.candidate.reason

        found = metrics(sidecar)
        assert found["pilotfish_requests_seen_total", (ENDPOINT,)] == 300
        assert found["pilotfish_requests_sampled_total", (ENDPOINT,)] == 300
        assert found["pilotfish_candidate_rank", (ENDPOINT, "rotated")] == 1
        # The incumbent's answers came with the traffic: it never answers a second time.
        assert found["pilotfish_incumbent_answers_seen_total", (ENDPOINT,)] == 300
        assert found["pilotfish_shadow_seconds_total", (ENDPOINT, "upright")] == 0
        assert found["pilotfish_shadow_seconds_total", (ENDPOINT, "rotated")] > 0


def test_the_embedded_server_answers_as_the_incumbent(folder: Path, digits_models: DigitsModels) -> None:
    images = digits_models.validation["upright"][:20]
    with running(folder) as sidecar, triton.InferenceServerClient(sidecar.proxy) as client:
        got = infer(client, images)
    np.testing.assert_allclose(got, digits_models.estimators["upright"].predict_proba(images), atol=1e-5)


def test_candidates_that_cannot_answer_are_states_and_stop_nobody(
    folder: Path, digits_models: DigitsModels
) -> None:
    others = _profile_with_other_classes(folder)
    candidates = [
        candidate("upright"),
        candidate("rotated"),
        candidate("gone", onnx="nowhere", profile="rotated"),
        candidate("broken", profile="rotated"),
        candidate("mixed-up", onnx="rotated", profile="upright"),
        candidate("letters", onnx="rotated", profile=others),
    ]
    with running(folder, candidates=candidates) as sidecar:
        sidecar.send(digits_models.validation["upright"][:120])
        ranking = sidecar.ranking_when(lambda ranking: ranking.items == 120)
        assert ranking.candidates[0].name == "upright"
        reasons = {
            one.name: one.reason for one in ranking.candidates if one.state == ranking_pb2.STATE_UNAVAILABLE
        }
        assert set(reasons) == {"gone", "broken", "mixed-up", "letters"}
        assert "nowhere.onnx" in reasons["gone"]
        assert "broken.onnx" in reasons["broken"]
        assert "pilotfish profile build" in reasons["mixed-up"]
        assert "no class in common" in reasons["letters"]
        with urllib.request.urlopen(f"{sidecar.http}/readyz", timeout=WAIT_S) as response:
            assert response.status == 200


def _profile_with_other_classes(folder: Path) -> str:
    profile = read_profile(folder / "rotated.safetensors")
    write_profile(replace(profile, classes=tuple("abcdefghij")), folder / "letters.safetensors")
    return "letters"


def test_a_candidate_repaired_on_disk_comes_back(folder: Path, digits_models: DigitsModels) -> None:
    (folder / "late.onnx").unlink(missing_ok=True)
    candidates = [candidate("upright"), candidate("late", profile="rotated")]
    with running(folder, candidates=candidates) as sidecar:
        sidecar.send(digits_models.validation["upright"][:100])
        ranking = sidecar.ranking_when(lambda ranking: ranking.items == 100)
        assert states(ranking)["late"] == "UNAVAILABLE"
        (folder / "late.new").write_bytes((folder / "rotated.onnx").read_bytes())
        (folder / "late.new").rename(folder / "late.onnx")
        ranking = sidecar.ranking_when(lambda ranking: states(ranking)["late"] != "UNAVAILABLE")
        # It answered what the window already held.
        assert ranking.items == 100


def test_candidates_are_registered_and_removed(folder: Path, digits_models: DigitsModels) -> None:
    with running(folder, candidates=[candidate("upright")]) as sidecar:
        sidecar.send(digits_models.validation["rotated"][:100])
        wanted = candidate_pb2.Candidate(
            name="rotated", profile_path="rotated.safetensors", onnx_path="rotated.onnx"
        )
        sidecar.candidates.RegisterCandidate(
            candidate_pb2.RegisterCandidateRequest(endpoint=ENDPOINT, candidate=wanted)
        )
        ranking = sidecar.ranking_when(lambda ranking: len(ranking.candidates) == 2 and ranking.items == 100)
        assert ranking.candidates[0].name == "rotated"
        listed = sidecar.candidates.ListCandidates(candidate_pb2.ListCandidatesRequest(endpoint=ENDPOINT))
        assert [(one.candidate.name, one.configured) for one in listed.candidates] == [
            ("upright", True),
            ("rotated", False),
        ]
        with pytest.raises(grpc.RpcError) as caught:
            sidecar.candidates.RegisterCandidate(
                candidate_pb2.RegisterCandidateRequest(endpoint=ENDPOINT, candidate=wanted)
            )
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        sidecar.candidates.RemoveCandidate(
            candidate_pb2.RemoveCandidateRequest(endpoint=ENDPOINT, name="rotated")
        )
        sidecar.ranking_when(lambda ranking: len(ranking.candidates) == 1)
        with pytest.raises(grpc.RpcError) as caught:
            sidecar.candidates.RemoveCandidate(
                candidate_pb2.RemoveCandidateRequest(endpoint=ENDPOINT, name="upright")
            )
        assert "incumbent" in str(caught.value.details())


def test_a_candidate_that_cannot_answer_is_not_registered(folder: Path) -> None:
    with running(folder) as sidecar:
        for wanted, said in (
            (
                candidate_pb2.Candidate(
                    name="c", profile_path="upright.safetensors", onnx_path="rotated.onnx"
                ),
                "rebuild",
            ),
            (
                candidate_pb2.Candidate(name="c", profile_path="upright.safetensors", onnx_path="../x"),
                "outside",
            ),
            (candidate_pb2.Candidate(name="c", onnx_path="rotated.onnx"), "profile_path is empty"),
        ):
            with pytest.raises(grpc.RpcError) as caught:
                sidecar.candidates.RegisterCandidate(
                    candidate_pb2.RegisterCandidateRequest(endpoint=ENDPOINT, candidate=wanted)
                )
            assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
            assert said in str(caught.value.details())
        listed = sidecar.candidates.ListCandidates(candidate_pb2.ListCandidatesRequest(endpoint=ENDPOINT))
        assert len(listed.candidates) == 2


def test_models_that_nobody_watches_are_counted(folder: Path) -> None:
    with running(folder) as sidecar, triton.InferenceServerClient(sidecar.proxy) as client:
        with pytest.raises(InferenceServerException, match="no model 'digitz'"):
            infer(client, np.zeros((1, 64), np.float32), "digitz")
        found = metrics(sidecar)
        assert found["pilotfish_capture_unwatched_calls_total", ("proxy", "127.0.0.1:0")] == 1
        assert found["pilotfish_requests_seen_total", (ENDPOINT,)] == 0


def test_pushed_items_are_ranked_and_accounted_for(folder: Path, digits_models: DigitsModels) -> None:
    def item(image: Array) -> traffic_pb2.ObserveRequest:
        tensor = traffic_pb2.Tensor(name="X", datatype="FP32", shape=[1, 64], contents=image.tobytes())
        return traffic_pb2.ObserveRequest(endpoint=ENDPOINT, inputs=[tensor])

    images = digits_models.validation["rotated"][:100]
    with running(
        folder, capture=[], sample={"fraction": 1.0, "max_per_second": 100000, "max_item_bytes": 1000}
    ) as sidecar:
        requests = [*(item(image) for image in images), item(np.zeros(64 * 9, np.float32))]
        total = sidecar.traffic.Observe(iter(requests), timeout=WAIT_S)
        assert (total.seen, total.sampled, total.skipped, dict(total.dropped)) == (
            101,
            100,
            0,
            {"oversize": 1},
        )
        assert sidecar.ranking_when(lambda ranking: ranking.items == 100).candidates[0].name == "rotated"
        lying = traffic_pb2.ObserveRequest(
            endpoint=ENDPOINT,
            inputs=[traffic_pb2.Tensor(name="X", datatype="FP32", shape=[1, 64], contents=b"1234")],
        )
        nan = item(np.full(64, np.nan, np.float32))
        narrow = traffic_pb2.ObserveRequest(
            endpoint=ENDPOINT,
            inputs=[traffic_pb2.Tensor(name="X", datatype="FP32", shape=[1, 1], contents=b"1234")],
        )
        sidecar.traffic.Observe(
            iter([lying, nan, narrow, *(item(image) for image in images[:50])]), timeout=WAIT_S
        )
        sidecar.ranking_when(lambda ranking: ranking.items == 150)
        found = metrics(sidecar)
        rejected = {
            labels[1]: value
            for (name, labels), value in found.items()
            if name == "pilotfish_requests_rejected_total"
        }
        assert rejected == {"undecodable": 1, "not_finite": 1, "wrong_input": 1}
        with pytest.raises(grpc.RpcError) as caught:
            sidecar.traffic.Observe(iter([traffic_pb2.ObserveRequest(endpoint="nobody")]), timeout=WAIT_S)
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND


def test_a_full_window_forgets_the_oldest_and_a_large_request_is_dropped_but_answered(
    folder: Path, digits_models: DigitsModels
) -> None:
    with (
        running(folder, window={"items": 100}) as sidecar,
        triton.InferenceServerClient(sidecar.proxy) as client,
    ):
        images = digits_models.validation["upright"]
        for start in range(0, 300, 50):
            infer(client, images[start : start + 50])
            sidecar.scored(start + 50)
        # 20,000 images in one request: 5 MB, answered all the same.
        many = np.tile(images[:100], (200, 1))
        assert infer(client, many).shape == (20000, 10)
        found = metrics(sidecar)
        assert found["pilotfish_window_items", (ENDPOINT,)] == 100
        assert found["pilotfish_window_items_evicted_total", (ENDPOINT,)] == 200
        assert found["pilotfish_requests_dropped_total", (ENDPOINT, "oversize")] == 1
        _assert_identity(found)


def test_a_hung_scoring_process_costs_samples_and_nothing_else(
    folder: Path, digits_models: DigitsModels
) -> None:
    config = configuration(ranking={"every": "50ms", "stale_after": "500ms"})
    config["scoring"]["queue"] = "64KiB"
    with RunningSidecar(write(folder, config)) as sidecar:
        images = digits_models.validation["upright"]
        sidecar.send(images[:60])
        sidecar.ranking_when(lambda ranking: ranking.items == 60)
        process = sidecar.sidecar.link.process_id
        assert process is not None
        os.kill(process, signal.SIGSTOP)
        try:
            with triton.InferenceServerClient(sidecar.proxy) as client:
                # 100 requests of about 30 kB: more than the pipe and the queue hold.
                for _ in range(100):
                    assert len(infer(client, images[:100])) == 100
            found = metrics(sidecar)
            assert found["pilotfish_requests_dropped_total", (ENDPOINT, "queue_full")] > 0
            assert found["pilotfish_scoring_queue_bytes", ()] <= 64 * 1024 + 8
            _assert_identity(found)
            sidecar.ranking_when(lambda ranking: ranking.state == ranking_pb2.STATE_STALE)
        finally:
            os.kill(process, signal.SIGCONT)
        sidecar.ranking_when(lambda ranking: ranking.state != ranking_pb2.STATE_STALE and ranking.items > 60)


def test_a_killed_scoring_process_is_restarted(folder: Path, digits_models: DigitsModels) -> None:
    with running(folder) as sidecar:
        sidecar.ranking_when(lambda ranking: ranking.round >= 1)
        process = sidecar.sidecar.link.process_id
        assert process is not None
        sidecar.send(digits_models.validation["upright"][:60])
        sidecar.ranking_when(lambda ranking: ranking.items == 60)
        os.kill(process, signal.SIGKILL)
        sidecar.ranking_when(lambda ranking: ranking.items == 0)
        sidecar.send(digits_models.validation["upright"][:70])
        sidecar.ranking_when(lambda ranking: ranking.items == 70)
        assert metrics(sidecar)["pilotfish_scoring_restarts_total", ()] == 1


def test_a_changed_file_is_taken_and_a_faulty_one_refused(folder: Path, digits_models: DigitsModels) -> None:
    with running(folder, candidates=[candidate("upright")]) as sidecar:
        sidecar.send(digits_models.validation["upright"][:60])
        sidecar.ranking_when(lambda ranking: ranking.items == 60)
        address = sidecar.proxy
        write(folder, configuration(candidates=[candidate("upright"), candidate("rotated")]))
        ranking = sidecar.ranking_when(lambda ranking: len(ranking.candidates) == 2)
        assert ranking.items == 60
        assert sidecar.proxy == address
        sidecar.path.write_text(yaml.safe_dump({"endpoints": []}))
        while metrics(sidecar)["pilotfish_config_refused", ()] == 0:
            pass
        assert len(sidecar.rankings.GetRanking(GET).ranking.candidates) == 2
        sidecar.send(digits_models.validation["upright"][:10])
        found = metrics(sidecar)
        assert found["pilotfish_config_reloads_total", ()] == 1
        assert found["pilotfish_config_reload_failures_total", ()] == 1


def test_a_new_upstream_is_taken_on_the_same_port(folder: Path, digits_models: DigitsModels) -> None:
    images = digits_models.validation["upright"][:5]
    other = folder / "upstream.yaml"
    other.write_text(yaml.safe_dump(configuration(incumbent="rotated")))
    with (
        RunningSidecar(other) as upstream,
        running(folder) as sidecar,
        triton.InferenceServerClient(sidecar.proxy) as client,
    ):
        address = sidecar.proxy
        expected = upstream.send(images[:1])[0]
        capture = [{"proxy": {"listen": "127.0.0.1:0", "upstream": upstream.proxy}}]
        write(folder, configuration(capture=capture))
        answer = np.zeros(0)
        while not np.array_equal(answer, expected):
            try:
                answer = infer(client, images[:1])
            except InferenceServerException as error:
                # A call may race with the end of its connection; nothing else may go wrong.
                assert error.status() == "StatusCode.UNAVAILABLE"  # noqa: PT017 - it is not always raised
        assert sidecar.proxy == address


def test_a_file_that_breaks_its_own_checks_is_refused_and_the_watch_goes_on(folder: Path) -> None:
    with running(folder, candidates=[candidate("upright")]) as sidecar:
        sidecar.ranking_when(lambda ranking: ranking.round >= 1)
        sidecar.path.write_text(
            "endpoints: [{name: [a], candidates: {b: c}, capture: [{proxy: {listen: [d]}}]}]"
        )
        while metrics(sidecar)["pilotfish_config_refused", ()] == 0:
            pass
        write(folder, configuration())
        sidecar.ranking_when(lambda ranking: len(ranking.candidates) == 2)
        assert metrics(sidecar)["pilotfish_config_refused", ()] == 0


def test_what_callers_get_wrong_and_what_tools_expect(folder: Path) -> None:
    with running(folder) as sidecar:
        sidecar.ranking_when(lambda ranking: ranking.round >= 1)
        for call in (
            lambda: sidecar.rankings.GetRanking(ranking_pb2.GetRankingRequest(endpoint="nobody")),
            lambda: next(
                iter(sidecar.rankings.WatchRanking(ranking_pb2.WatchRankingRequest(endpoint="nobody")))
            ),
            lambda: sidecar.explain("nobody"),
        ):
            with pytest.raises(grpc.RpcError) as caught:
                call()
            assert caught.value.code() == grpc.StatusCode.NOT_FOUND
            assert "there are: " in str(caught.value.details())
        health: Any = health_pb2_grpc.HealthStub(sidecar.channel)
        assert health.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.SERVING
        reflection: Any = reflection_pb2_grpc.ServerReflectionStub(sidecar.channel)
        answer = next(
            reflection.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
        )
        names = {service.name for service in answer.list_services_response.service}
        assert names >= {
            "pilotfish.v1.RankingService",
            "pilotfish.v1.CandidateService",
            "pilotfish.v1.TrafficService",
        }
        for path in ("healthz", "readyz"):
            with urllib.request.urlopen(f"{sidecar.http}/{path}", timeout=WAIT_S) as response:
                assert response.read() == b"ok\n"
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"{sidecar.http}/nothing", timeout=WAIT_S)


def _assert_identity(found: dict[tuple[str, tuple[str, ...]], float]) -> None:
    total = dict.fromkeys(("seen", "sampled", "skipped", "dropped"), 0.0)
    for (name, _), value in found.items():
        for kind in total:
            if name == f"pilotfish_requests_{kind}_total":
                total[kind] += value
    assert total["seen"] == total["sampled"] + total["skipped"] + total["dropped"] > 0


def test_shutdown_with_open_streams_and_connections_is_prompt_and_leaves_nothing(
    folder: Path, digits_models: DigitsModels
) -> None:
    with running(folder) as sidecar, triton.InferenceServerClient(sidecar.proxy) as client:
        infer(client, digits_models.validation["upright"][:1])
        watch = sidecar.rankings.WatchRanking(ranking_pb2.WatchRankingRequest(endpoint=ENDPOINT))
        next(iter(watch))
        process = sidecar.sidecar.link.process_id
        assert process is not None
        # The grace is for calls that end; an open stream of rankings is told to go at once.
        sidecar.on_loop(asyncio.wait_for(sidecar.sidecar.close(), GRACE_S * 0.9))
        with pytest.raises(grpc.RpcError) as caught:
            list(watch)
        assert "Pilotfish is stopping" in str(caught.value.details())
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
        assert sidecar.on_loop(_tasks()) == []


async def _tasks() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()]
