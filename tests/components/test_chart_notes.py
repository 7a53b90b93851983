"""NOTES.txt names what is there. Helm prints it after an installation; here it is rendered as an object."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.components.helm_chart import APIS, CHART, CI, helm, rendered

OBJECT = """
apiVersion: v1
kind: ConfigMap
metadata: {name: notes}
data: {notes: {{ tpl (.Files.Get "notes.txt") . | toJson }}}
"""


@pytest.mark.parametrize("name", CI)
def test_the_notes_name_what_is_there(name: str, tmp_path: Path) -> None:
    chart = shutil.copytree(CHART, tmp_path / "chart")
    (chart / "templates" / "NOTES.txt").rename(chart / "notes.txt")
    (chart / "templates" / "notes.yaml").write_text(OBJECT)
    apis = [word for api in APIS.get(name, ()) for word in ("--api-versions", api)]
    where = ("--namespace", "ml", "--kube-version", "1.31.0", "--show-only", "templates/notes.yaml")
    result = helm("template", "fish", chart, *where, *apis, "--values", CI[name])
    assert result.returncode == 0, result.stderr
    notes = yaml.safe_load(result.stdout)["data"]["notes"]

    objects = rendered(CI[name], apis=APIS.get(name, ()))
    there = {(one["kind"].lower(), one["metadata"]["name"]) for one in objects}
    assert {("deployment", found) for found in re.findall(r"deployment/(\S+)", notes)} <= there
    hosts = re.findall(r"(\S+)\.ml\.svc:", notes)
    assert {("service", host) for host in hosts} <= there
    assert hosts
    assert ("helm -n ml test fish" in notes) == ("pod" in {kind for kind, _ in there})
    assert ("pilotfish/inject" in notes) == ("mutatingwebhookconfiguration" in {kind for kind, _ in there})
    assert ("Nothing tells a Prometheus" in notes) == (name not in {"all", "monitoring", "monitoring-forced"})
