"""Alerts and panels name what there is: metrics, sections of the runbook, other rules' labels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from helm.monitoring.dashboard import dashboard_json
from helm.monitoring.rules import GROUPS, grafana_rules

ROOT = Path(__file__).parents[3]
ALERTS = [alert for alerts in GROUPS.values() for alert in alerts]


def queries() -> Iterator[str]:
    yield from (alert.expression for alert in ALERTS)
    dashboard = json.loads(dashboard_json())
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (str(variable["query"]) for variable in dashboard["templating"]["list"])


def test_every_metric_is_one_that_the_sidecar_has() -> None:
    exposition = (ROOT / "tests" / "golden" / "metrics" / "exposition.txt").read_text()
    known = set(re.findall(r"^(\w+)[{ ]", exposition, re.MULTILINE))
    named = {name for query in queries() for name in re.findall(r"\bpilotfish_\w+", query)}
    assert named <= known
    assert len(named) > 40


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_the_runbook_has_a_section_for_every_alert(alert: Any) -> None:  # noqa: ANN401 - an Alert
    text = (ROOT / "helm" / "RUNBOOK.md").read_text()
    (section,) = re.findall(rf"^## {alert.name}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    for part in ("**Means.**", "**Look at**", "**Do.**"):
        assert part in section
    file, anchor = alert.runbook.split("#")
    assert (ROOT / file).is_file()
    assert anchor == alert.name.lower()


def test_the_runbook_names_no_alert_and_no_panel_that_there_is_not() -> None:
    text = (ROOT / "helm" / "RUNBOOK.md").read_text()
    assert set(re.findall(r"Pilotfish[A-Z]\w+", text)) == {alert.name for alert in ALERTS}
    titles = [panel["title"] for panel in json.loads(dashboard_json())["panels"]]
    for named in re.findall(r"(?<!\*)\*([^*\n]+)\*(?!\*)", text):
        assert any(named in title for title in titles), named


def test_names_are_unique_and_short_enough_for_grafana() -> None:
    names = [alert.name.lower() for alert in ALERTS]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) <= 40
    ids = [panel["id"] for panel in json.loads(dashboard_json())["panels"]]
    assert len(set(ids)) == len(ids)


def test_grafana_finds_what_it_asks_of_a_provisioned_rule() -> None:
    rules = [rule for group in yaml.safe_load(grafana_rules())["groups"] for rule in group["rules"]]
    assert [rule["title"] for rule in rules] == [alert.name for alert in ALERTS]
    for rule in rules:
        found, condition = rule["data"]
        assert (found["refId"], condition["refId"]) == ("A", rule["condition"])
        assert found["model"]["instant"]
        assert condition["model"]["expression"] == "is_number($A)"
        # Grafana fills its environment's variables into all texts but the model; in annotations, braced ones.
        annotations, rest = rule.pop("annotations"), {**rule, "data": None}
        assert "$" not in str(rest)
        assert "${" not in str(annotations)
        assert not re.search(r"\$value\b", str(annotations))


def test_every_description_tells_who_and_most_tell_how_much() -> None:
    for alert in ALERTS:
        assert "{{ $labels." in alert.summary
        assert "{{ $labels." in alert.description
    wordless = {alert.name for alert in ALERTS if "$value" not in alert.description}
    # Their expressions say no more than that it is so.
    assert wordless == {"PilotfishCandidateUnavailable", "PilotfishConfigurationRefused"}
