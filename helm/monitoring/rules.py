"""The alerts as Prometheus rule groups and as Grafana-managed rules."""

from __future__ import annotations

import json
from typing import Any, Final

import yaml
from grafana_foundation_sdk.builders import alerting, expr, prometheus
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.alerting import RelativeTimeRange

from helm.monitoring.alert import Alert
from helm.monitoring.ranking_alerts import RANKING_ALERTS
from helm.monitoring.service_alerts import SERVICE_ALERTS

GROUPS: Final = {"pilotfish-ranking": RANKING_ALERTS, "pilotfish-service": SERVICE_ALERTS}
# The name that kube-prometheus-stack gives its data source; the chart puts another in its place.
DATASOURCE: Final = "prometheus"
_HEADER: Final = "# Written by `make helm` from helm/monitoring; change it there.\n"
_LOOK_BACK_S: Final = 600
_ONE_LINE: Final = 1000


def prometheus_rules() -> str:
    """The rule groups, as `rule_files` or a PrometheusRule's `spec` take them."""
    groups = [
        {"name": name, "rules": [_prometheus_rule(alert) for alert in alerts]}
        for name, alerts in GROUPS.items()
    ]
    return _text({"groups": groups})


def grafana_rules() -> str:
    """The same as a file for Grafana's folder `provisioning/alerting`."""
    groups = [
        {
            "orgId": 1,
            "name": name,
            "folder": "Pilotfish",
            "interval": "1m",
            "rules": [_grafana_rule(alert) for alert in alerts],
        }
        for name, alerts in GROUPS.items()
    ]
    return _text({"apiVersion": 1, "groups": groups})


def _prometheus_rule(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expression.lstrip(),
        "for": alert.lasting,
        "labels": {"severity": str(alert.severity)},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "runbook_url": alert.runbook,
        },
    }


def _grafana_rule(alert: Alert) -> dict[str, Any]:
    """Fires for every series of the expression, whatever its value: the expression compares already."""
    found = (
        alerting.Query("A")
        .datasource_uid(DATASOURCE)
        .relative_time_range(RelativeTimeRange(from_val=_LOOK_BACK_S, to=0))
        .model(prometheus.Dataquery().ref_id("A").expr(alert.expression.lstrip()).instant())
    )
    any_value = (
        alerting.Query("B")
        .datasource_uid("__expr__")
        .model(expr.TypeMath().ref_id("B").expression("is_number($A)"))
    )
    annotations = {"summary": alert.summary, "description": alert.description}
    return {
        "uid": alert.name.lower(),
        "title": alert.name,
        "condition": "B",
        "data": json.loads(JSONEncoder().encode([found.build(), any_value.build()])),
        # No series: nothing is wrong.
        "noDataState": "OK",
        "execErrState": "Error",
        "for": alert.lasting,
        "labels": {"severity": str(alert.severity)},
        "annotations": {
            **{name: text.replace("$value", "$values.A.Value") for name, text in annotations.items()},
            "runbook_url": alert.runbook,
        },
    }


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as it is read."""


def _text_node(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text_node)


def _text(content: dict[str, Any]) -> str:
    return _HEADER + yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=_ONE_LINE)
