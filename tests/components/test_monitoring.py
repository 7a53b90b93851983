"""The chart's alerts and dashboard with a real Prometheus and Alertmanager; the metrics by promtool."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import yaml
from pilotfish.v1 import traffic_pb2
from tritonclient.grpc import service_pb2, service_pb2_grpc

from benchmarks.digit_models import candidate
from sidecar.core.tensors import Array
from sidecar.tools.demo import digits
from tests.components.helm_chart import APIS, CI, rendered, the
from tests.components.running_prometheus import (
    RunningAlertmanager,
    RunningPrometheus,
    eventually,
    running_alertmanager,
    running_prometheus,
)
from tests.support.running_sidecar import ENDPOINT, WAIT_S, RunningSidecar, running

FILES = Path(__file__).parents[2] / "helm" / "pilotfish" / "files"
WINDOW_ITEMS = 400
AT_ONCE = 50
# What rules and panels look back on and wait for, as long as a test has.
SHORTER = {"1d": "15s", "1h": "5s", "15m": "2s", "10m": "5s", "5m": "2s", "2m": "1s", "0s": "0s"}
CHOSEN = {
    "$namespace": ".*",
    "$job": "pilotfish",
    "$instance": ".*",
    "$endpoint": ENDPOINT,
    "$candidate": "upright",
    "$measure": "adaptivity|graded_adaptivity",
    "$__rate_interval": "5s",
}
DRIFT_ALERTS = {"PilotfishServedNotBest", "PilotfishRankingDrift", "PilotfishAdaptivityFell"}


@dataclass(frozen=True, slots=True)
class Monitored:
    """A sidecar that is watched, and who watches it."""

    sidecar: RunningSidecar
    envoy: EnvoyAdmin
    prometheus: RunningPrometheus
    alertmanager: RunningAlertmanager

    def send(self, domain: str, items: int = WINDOW_ITEMS) -> None:
        """An ordinary client's images as a domain shows them, through the proxy, no faster than scoring."""
        with grpc.insecure_channel(self.sidecar.proxy) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            for number, image in enumerate(shown(domain, items), 1):
                stub.ModelInfer(request(image), timeout=WAIT_S)
                if number % AT_ONCE == 0:
                    self.sidecar.on_loop(self._caught_up())

    async def _caught_up(self) -> None:
        """Until a ranking knows what became of everything that was sampled."""
        version, known = 0, -1
        while known < self.sidecar.sidecar.intake(ENDPOINT).counts.sampled:
            snapshot = await self.sidecar.sidecar.board.newer(ENDPOINT, version)
            counters, version = snapshot.counters, snapshot.version
            known = counters.items + sum(counters.requests_rejected.values())


class EnvoyAdmin(ThreadingHTTPServer):
    """The admin page of an Envoy that copies every call, or while `losing` does not."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        self.losing = False
        self.lost = 0


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, EnvoyAdmin)
        self.server.lost += 3 * self.server.losing
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"cluster.pilotfish.upstream_rq_5xx: {self.server.lost}\n".encode())

    def log_message(self, *_: object) -> None: ...


def shown(domain: str, items: int) -> Array:
    rng = np.random.default_rng(0)
    images, labels = digits.load(0).live
    chosen = rng.integers(len(images), size=items)
    return digits.seen_in(domain, (images[chosen], labels[chosen]), rng)[0]


def request(image: Array) -> Any:  # noqa: ANN401 - a message without types
    tensor = service_pb2.ModelInferRequest.InferInputTensor(
        name=digits.INPUT, datatype="FP32", shape=[1, image.size]
    )
    return service_pb2.ModelInferRequest(
        model_name=ENDPOINT, inputs=[tensor], raw_input_contents=[image.tobytes()]
    )


def filled(query: str) -> str:
    """The query with a choice for every variable."""
    for name, value in CHOSEN.items():
        query = query.replace(name, value)
    assert "$" not in query
    return query


def shorter(text: str) -> str:
    """The durations of PromQL and of `for`, made as short as a test needs them."""

    def short(found: re.Match[str]) -> str:
        return found[1] + SHORTER[found[2]] + found[3]

    return re.sub(r"(\[|offset |for: )(\d+[smhd])(\b)", short, text)


@pytest.fixture(scope="module")
def monitored(
    prometheus_programs: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Monitored]:
    """Every kind of series is there: two captures, declared costs with a bound, a request that is refused."""
    chart = rendered(CI["monitoring"], apis=APIS["monitoring"])
    service_monitor = the(chart, "ServiceMonitor")
    admin = EnvoyAdmin()
    threading.Thread(target=admin.serve_forever, daemon=True).start()
    envoy = f"127.0.0.1:{admin.server_port}"
    own = tmp_path_factory.mktemp("prometheus")
    with (
        running(
            folder,
            capture=[
                {"observer": {"listen": "127.0.0.1:0", "envoy": envoy}},
                {"proxy": {"listen": "127.0.0.1:0"}},
            ],
            incumbent="upright",
            candidates=[
                candidate(name) | {"objectives": {"cost_usd": 0.5}}
                for name in ("upright", "rotated", "noisy")
            ],
            window={"items": WINDOW_ITEMS},
            ranking={"every": "200ms", "constraints": {"cost_usd": {"at_most": 1.0}}},
        ) as sidecar,
        running_alertmanager(prometheus_programs, own) as alertmanager,
        running_prometheus(
            prometheus_programs,
            own,
            target=sidecar.http.removeprefix("http://"),
            monitor=service_monitor["spec"]["endpoints"][0],
            rules=shorter((FILES / "rules.yaml").read_text()),
            alertmanager=alertmanager.address,
        ) as prometheus,
    ):
        nothing = np.full(64, np.nan, dtype=np.float32).tobytes()
        tensor = traffic_pb2.Tensor(name=digits.INPUT, datatype="FP32", shape=[1, 64], contents=nothing)
        sidecar.traffic.Observe(iter([traffic_pb2.ObserveRequest(endpoint=ENDPOINT, inputs=[tensor])]))
        yield Monitored(sidecar, admin, prometheus, alertmanager)
    admin.shutdown()
    admin.server_close()


def test_rules_are_valid_and_fire_when_they_should(prometheus_programs: Path) -> None:
    cases = Path(__file__).with_name("rules_test.yaml")
    promtool(prometheus_programs, "check", "rules", FILES / "rules.yaml")
    promtool(prometheus_programs, "test", "rules", cases)
    rules = {rule["alert"] for group in loaded(FILES / "rules.yaml")["groups"] for rule in group["rules"]}
    tests = [test for case in loaded(cases)["tests"] for test in case["alert_rule_test"]]
    assert {test["alertname"] for test in tests if test["exp_alerts"]} == rules


def test_promtool_has_no_complaint_about_the_metrics(monitored: Monitored, prometheus_programs: Path) -> None:
    monitored.send("upright")
    with urllib.request.urlopen(f"{monitored.sidecar.http}/metrics", timeout=WAIT_S) as response:
        said = promtool(prometheus_programs, "check", "metrics", text=response.read().decode())
    assert said == ""


def test_drift_fires_and_recovery_resolves(monitored: Monitored) -> None:
    firing = monitored.alertmanager.firing
    monitored.send("upright")
    past = "pilotfish_candidate_measure offset 5s"
    eventually(lambda: monitored.prometheus.query(past), "past to compare with")
    eventually(lambda: not firing(), "calm before the drift", firing)

    monitored.send("rotated")
    eventually(lambda: firing().keys() >= DRIFT_ALERTS, "alerts about the drift", firing)
    told = 'ALERTS{alertname="PilotfishRecommendationChanged", candidate="rotated"}'
    eventually(lambda: monitored.prometheus.query(f"last_over_time({told}[1m])"), f"alert {told}")
    (alert,) = firing()["PilotfishServedNotBest"]
    assert (alert["labels"]["endpoint"], alert["labels"]["candidate"]) == (ENDPOINT, "upright")
    assert alert["labels"]["severity"] == "warning"
    assert re.search(
        r"the probability that it is the best is 0(\.\d+)?%\.$", alert["annotations"]["description"]
    )

    monitored.send("upright")
    eventually(lambda: not firing(), "recovery", firing)


def test_faults_of_its_own_fire_and_resolve(monitored: Monitored) -> None:
    firing = monitored.alertmanager.firing
    expected = {"PilotfishConfigurationRefused", "PilotfishEnvoyLosesCopies"}
    path = monitored.sidecar.path
    right = path.read_text()
    path.write_text("endpoints: none\n")
    monitored.envoy.losing = True
    eventually(lambda: firing().keys() >= expected, "alerts about the faults", firing)
    (alert,) = firing()["PilotfishEnvoyLosesCopies"]
    assert alert["labels"]["capture"] == "observer"

    path.write_text(right)
    monitored.envoy.losing = False
    eventually(lambda: not expected & firing().keys(), "recovery", firing)


def test_every_query_of_the_dashboard_returns_a_series(monitored: Monitored) -> None:
    monitored.send("rotated", 50)
    dashboard = json.loads((FILES / "dashboard.json").read_text())
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    queries = {target["expr"]: panel["title"] for panel in panels for target in panel["targets"]}

    def empty() -> dict[str, str]:
        return {
            query: title for query, title in queries.items() if not monitored.prometheus.query(filled(query))
        }

    eventually(lambda: not empty(), "series of all queries", empty)


def test_every_variable_of_the_dashboard_has_a_choice(monitored: Monitored) -> None:
    variables = json.loads((FILES / "dashboard.json").read_text())["templating"]["list"]
    asked = {one["name"]: one["query"] for one in variables if one["type"] == "query"}

    def choices() -> dict[str, list[str]]:
        found = {}
        for name, query in asked.items():
            parts = re.fullmatch(r"label_values\((.*), (\w+)\)", query)
            assert parts, query
            found[name] = monitored.prometheus.values(filled(parts[1]), parts[2])
        return found

    eventually(lambda: all(choices().values()), "choice for every variable", choices)
    assert choices()["endpoint"] == [ENDPOINT]
    assert choices()["candidate"] == ["noisy", "rotated", "upright"]


def test_grafana_asks_what_prometheus_asks(monitored: Monitored) -> None:
    rules = {
        rule["alert"]: rule["expr"]
        for group in loaded(FILES / "rules.yaml")["groups"]
        for rule in group["rules"]
    }
    asked = {
        rule["title"]: rule["data"][0]["model"]["expr"]
        for group in loaded(FILES / "grafana-alerts.yaml")["groups"]
        for rule in group["rules"]
    }
    assert asked == rules
    for expression in asked.values():
        monitored.prometheus.query(expression)


def loaded(path: Path) -> Any:  # noqa: ANN401 - YAML
    return yaml.safe_load(path.read_text())


def promtool(programs: Path, *words: str | Path, text: str = "") -> str:
    """What promtool says; it must be content."""
    done = subprocess.run(  # noqa: S603 - the program that is tested with
        [programs / "promtool", *words], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
