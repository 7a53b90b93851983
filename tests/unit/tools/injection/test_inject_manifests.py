from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest

from sidecar.core.errors import InvalidError
from sidecar.tools.injection.containers import Envoy, Injection, read_models_volume
from sidecar.tools.injection.inject import inject_documents, uninject_documents
from sidecar.tools.injection.workloads import Document
from tests.support.manifests import (
    CLASSIC,
    FILES,
    INJECTION,
    MANIFESTS,
    WITH_ENVOY,
    flat,
    names,
    pod_of,
    read,
    with_models,
    workload,
)

EVERY = pytest.mark.parametrize("name", MANIFESTS)
WAYS = {"own": INJECTION, "envoy": WITH_ENVOY, "classic": CLASSIC}
# Work that ends cannot have a plain container beside it.
EVERY_WAY = pytest.mark.parametrize(
    ("name", "way"),
    [(name, way) for name in MANIFESTS for way in WAYS if (name, way) != ("jobs.yaml", "classic")],
)


def test_there_are_twelve() -> None:
    assert len(MANIFESTS) == 12


@EVERY_WAY
def test_inject_then_uninject_is_the_identity(name: str, way: str) -> None:
    before = read(name)
    changed = inject_documents(before, WAYS[way], FILES)
    assert changed != before
    assert uninject_documents(changed) == before
    assert uninject_documents(before) == before


@EVERY_WAY
def test_twice_is_once(name: str, way: str) -> None:
    injection = WAYS[way]
    once = inject_documents(read(name), injection, FILES)
    assert inject_documents(once, injection, FILES) == once
    other = replace(injection, image="pilotfish:newer", listening=replace(injection.listening, http=9401))
    assert inject_documents(once, other, FILES) == inject_documents(read(name), other, FILES)


@EVERY
def test_nothing_else_is_touched(name: str) -> None:
    before = read(name)
    kept = copy.deepcopy(before)
    after = flat(inject_documents(before, WITH_ENVOY, {}))
    assert before == kept
    for old, new in zip(flat(before), after, strict=True):
        if old.get("kind") in {"Service", "ServiceAccount", "ConfigMap"} or old == new:
            assert old == new
            continue
        theirs, ours = pod_of(old), pod_of(new)
        for key in theirs.keys() - {"volumes", "annotations", "terminationGracePeriodSeconds"}:
            entries = theirs[key] or []
            assert ours[key][: len(entries)] == entries if isinstance(entries, list) else ours[key] == entries


def test_native_sidecars_start_after_what_fetches_the_models() -> None:
    pod = pod_of(workload(inject_documents(read("init-containers.yaml"), WITH_ENVOY, {}), "classifier"))
    assert names(pod["initContainers"]) == ["secrets", "fetch", "pilotfish", "pilotfish-envoy"]
    assert [one.get("restartPolicy") for one in pod["initContainers"]] == ["Always", None, "Always", "Always"]
    assert names(pod["containers"]) == ["server"]
    assert pod["volumes"][-1] == {"name": "pilotfish-config", "configMap": {"name": "shared"}}


def test_classic_ones_are_plain_containers() -> None:
    pod = pod_of(workload(inject_documents(read("init-containers.yaml"), CLASSIC, FILES), "classifier"))
    assert names(pod["initContainers"]) == ["secrets", "fetch"]
    assert names(pod["containers"]) == ["server", "pilotfish"]
    assert "restartPolicy" not in pod["containers"][-1]


def test_a_serving_runtime_has_plain_containers_alone() -> None:
    spec = inject_documents(read("serving-runtime.yaml"), WITH_ENVOY, {})[0]["spec"]
    assert names(spec["containers"]) == ["kserve-container", "auth", "pilotfish", "pilotfish-envoy"]
    assert not {"initContainers", "terminationGracePeriodSeconds"} & spec.keys()
    assert spec["annotations"]["prometheus.io/port"] == "9400"


def test_an_inference_service_has_them_in_its_predictor() -> None:
    spec = workload(inject_documents(read("inference-service-custom.yaml"), INJECTION, FILES), "custom")[
        "spec"
    ]
    assert names(spec["predictor"]["initContainers"]) == ["pilotfish"]
    assert spec["predictor"]["annotations"]["prometheus.io/scrape"] == "true"
    assert spec["transformer"] == read("inference-service-custom.yaml")[0]["spec"]["transformer"]


def test_the_grace_period_covers_that_of_the_calls() -> None:
    def grace_s(file: str, name: str) -> int:
        return int(
            pod_of(workload(inject_documents(read(file), INJECTION, FILES), name))[
                "terminationGracePeriodSeconds"
            ]
        )

    assert grace_s("statefulset.yaml", "store") == 45
    assert grace_s("helm.yaml", "release-models") == 45
    assert grace_s("several-containers.yaml", "ranker") == 120
    short = replace(INJECTION, listening=replace(INJECTION.listening, grace_s=10))
    plain = inject_documents(read("deployment.yaml"), short, FILES)
    assert "terminationGracePeriodSeconds" not in pod_of(workload(plain, "triton"))


def test_who_is_scraped_already_stays_so() -> None:
    found = workload(inject_documents(read("several-containers.yaml"), INJECTION, FILES), "ranker")
    annotations = found["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == "8002"
    assert "prometheus.io/path" not in annotations


def test_a_config_map_stands_before_each_workload() -> None:
    found = flat(inject_documents(read("list.yaml"), INJECTION, FILES))
    assert [(one["kind"], one["metadata"]["name"]) for one in found] == [
        ("ConfigMap", "echo-5d9c7b8f6d-pilotfish"),
        ("ReplicaSet", "echo-5d9c7b8f6d"),
        ("ConfigMap", "echo"),
        ("Deployment", "paused"),
    ]
    assert found[0]["data"] == FILES
    assert found[0]["metadata"]["namespace"] == "default"
    assert found[3] == read("list.yaml")[0]["items"][2]


def test_hooks_are_left_alone() -> None:
    before = read("helm.yaml")
    after = inject_documents(before, INJECTION, FILES)
    assert [one for one in after if one["kind"] in {"Job", "Pod"}] == before[-2:]


def test_one_of_several_can_be_meant_and_then_another() -> None:
    both = read("deployment.yaml") + read("statefulset.yaml")
    one = inject_documents(both, INJECTION, FILES, only="store")
    assert one[0] == both[0]
    assert inject_documents(one, INJECTION, FILES, only="triton") == inject_documents(both, INJECTION, FILES)
    alike = copy.deepcopy(both[0])
    alike["metadata"]["name"] = "store-pilotfish"
    assert inject_documents([alike, both[1]], INJECTION, FILES, only="store")[0] == alike
    with pytest.raises(InvalidError, match="no workload 'nobody' to inject into"):
        inject_documents(both, INJECTION, FILES, only="nobody")


def test_what_no_longer_wants_it_is_taken_out() -> None:
    found = inject_documents(read("deployment.yaml") + read("statefulset.yaml"), INJECTION, FILES)
    workload(found, "triton")["metadata"]["annotations"] = {"pilotfish/inject": "false"}
    again = inject_documents(found, INJECTION, FILES)
    assert names([one["metadata"] for one in again]) == ["triton", "store-pilotfish", "store"]
    assert "initContainers" not in pod_of(workload(again, "triton"))


def test_what_others_changed_since_stays() -> None:
    found = inject_documents(read("deployment.yaml"), WITH_ENVOY, {})
    pod = pod_of(workload(found, "triton"))
    pod["initContainers"].insert(0, {"name": "later", "image": "later:1"})
    pod["volumes"].insert(0, {"name": "later", "emptyDir": {}})
    pod["terminationGracePeriodSeconds"] = 300
    found[0]["spec"]["template"]["metadata"]["annotations"]["later"] = "yes"
    left = uninject_documents(found)
    pod = pod_of(workload(left, "triton"))
    assert names(pod["initContainers"]) == names(pod["volumes"]) == ["later"]
    assert pod["terminationGracePeriodSeconds"] == 300
    assert left[0]["spec"]["template"]["metadata"]["annotations"] == {"later": "yes"}


@pytest.mark.parametrize(
    ("file", "volume", "name"),
    [("statefulset.yaml", "data", "store"), ("init-containers.yaml", "models", "classifier")],
)
def test_models_are_mounted_from_a_volume_of_the_pod(file: str, volume: str, name: str) -> None:
    pod = pod_of(workload(inject_documents(read(file), with_models(volume), FILES), name))
    mounts = pod["initContainers"][-1]["volumeMounts"]
    assert mounts[1] == {"name": volume, "mountPath": "/models", "readOnly": True}


def change(document: Document, **pod: Any) -> Document:  # noqa: ANN401 - YAML
    document = copy.deepcopy(document)
    pod_of(document).update(pod)
    return document


PLAIN = read("deployment.yaml")[0]


@pytest.mark.parametrize(
    ("document", "injection", "said"),
    [
        (PLAIN, with_models("models"), "Deployment triton: has no volume 'models', only: none"),
        (
            change(PLAIN, containers=[{"name": "a", "ports": [{"containerPort": 9400}]}]),
            INJECTION,
            "Deployment triton: 'a' listens on 9400, and so would Pilotfish",
        ),
        (PLAIN, replace(INJECTION, envoy=Envoy(port=9002)), "would both listen on 9002"),
        (change(PLAIN, containers=[{"name": "pilotfish"}]), INJECTION, "has a 'pilotfish' that"),
        (change(PLAIN, volumes=[{"name": "pilotfish-config"}]), INJECTION, "has a 'pilotfish-config' that"),
        (read("jobs.yaml")[0], CLASSIC, "would never end .* leave --classic out"),
        (change(PLAIN, initContainers="no"), INJECTION, "initContainers is no list of mappings"),
        ({**PLAIN, "spec": {}}, INJECTION, r"spec.template.spec is no mapping"),
        (read("jobs.yaml")[0] | {"metadata": {}}, INJECTION, "Job without a name: its ConfigMap"),
        (
            {"kind": "List", "items": [None]},
            INJECTION,
            "a List holds None, which is no object of Kubernetes",
        ),
        (
            {"apiVersion": "apps.example.com/v1", "kind": "Deployment"},
            INJECTION,
            "no workload to inject into",
        ),
    ],
)
def test_what_cannot_be_is_refused(document: Document, injection: Injection, said: str) -> None:
    with pytest.raises(InvalidError, match=said):
        inject_documents([document], injection, FILES)


def test_a_port_of_another_protocol_is_free() -> None:
    udp = change(PLAIN, containers=[{"name": "a", "ports": [{"containerPort": 9400, "protocol": "UDP"}]}])
    assert inject_documents([udp], INJECTION, FILES)


@pytest.mark.parametrize(
    "record", ["", "[]", "{", '{"grace":{"now":"x"}}', '{"other":1}', '{"empty":{"spec":{}}}']
)
def test_a_record_of_somebody_else_is_refused(record: str) -> None:
    found = inject_documents([PLAIN], INJECTION, FILES)
    found[1]["spec"]["template"]["metadata"]["annotations"]["pilotfish/injected"] = record
    with pytest.raises(InvalidError, match=r"Deployment triton: .* take it, the containers pilotfish and"):
        uninject_documents(found)


@pytest.mark.parametrize("text", ["", ":/models", "models:", "models:relative", "m:/etc/pilotfish/models"])
def test_a_models_volume_is_a_name_and_a_path(text: str) -> None:
    with pytest.raises(InvalidError, match="write the name of a volume, or NAME:/PATH"):
        read_models_volume(text)


def test_a_configuration_that_is_not_at_hand_listens_where_probes_look() -> None:
    unknown = replace(INJECTION, listening=replace(INJECTION.listening, known=False))
    container = pod_of(workload(inject_documents([PLAIN], unknown, FILES), "triton"))["initContainers"][0]
    assert {one["name"]: one["value"] for one in container["env"]} == {
        "PILOTFISH_SERVE__GRPC": "0.0.0.0:9500",
        "PILOTFISH_SERVE__HTTP": "0.0.0.0:9400",
        "PILOTFISH_SERVE__GRACE": "40s",
    }


def test_only_who_relays_requests_keeps_the_pod_from_being_ready() -> None:
    for relays in (False, True):
        injection = replace(INJECTION, listening=replace(INJECTION.listening, relays=relays))
        container = pod_of(workload(inject_documents([PLAIN], injection, FILES), "triton"))["initContainers"][
            0
        ]
        assert ("readinessProbe" in container) == relays
        assert container["startupProbe"]["httpGet"] == {"path": "/readyz", "port": "pilotfish-http"}
        assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "pilotfish-http"}


def test_the_record_is_json_of_what_leaves_no_trace() -> None:
    document = change(PLAIN, terminationGracePeriodSeconds=20, volumes=[])
    found = inject_documents([document], INJECTION, FILES)[1]["spec"]["template"]["metadata"]["annotations"]
    assert json.loads(found["pilotfish/injected"]) == {
        "annotations": ["prometheus.io/scrape", "prometheus.io/port", "prometheus.io/path"],
        "empty": {"volumes": []},
        "grace": {"now": 45, "before": 20},
    }
