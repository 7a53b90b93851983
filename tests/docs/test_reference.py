"""The reference pages have all that the program has."""

from __future__ import annotations

from pathlib import Path

from pilotfish.v1 import candidate_pb2, performance_pb2, ranking_pb2, traffic_pb2

from docs.generate import PAGES, write
from sidecar.config import Config
from sidecar.estimation.measures.table import MEASURES
from sidecar.tools.cli import app
from sidecar.wire.reasons import DropReason, RejectReason


def test_every_key_of_the_configuration_is_there() -> None:
    page = PAGES["configuration.md"]()
    schema = Config.model_json_schema()
    for section in (schema, *schema["$defs"].values()):
        for key in section.get("properties", ()):
            assert f"| `{key}` |" in page
    for name in schema["$defs"]:
        assert f"\n## {name}\n" in page


def test_every_command_is_there() -> None:
    page = PAGES["command-line.md"]()
    for name in app:
        if not name.startswith("-"):
            assert f"## pilotfish {name}\n" in page


def test_every_measure_is_there() -> None:
    page = PAGES["measures.md"]()
    for measure in MEASURES:
        formula = measure.formula.replace("|", r"\|")
        assert f"| `{measure.name}` | `{formula}` |" in page


def test_every_service_method_and_message_is_there() -> None:
    page = PAGES["grpc.md"]()
    for file in (candidate_pb2, performance_pb2, ranking_pb2, traffic_pb2):
        for service in file.DESCRIPTOR.services_by_name.values():
            assert f"\n## {service.name}\n" in page
            assert all(f"| `{method.name}` |" in page for method in service.methods)
        for message in file.DESCRIPTOR.message_types_by_name.values():
            assert f"\n## {message.name}\n" in page
            assert all(f"| `{field.name}` |" in page for field in message.fields)


def test_every_state_is_there() -> None:
    page = PAGES["states.md"]()
    states = [
        value.name.removeprefix("STATE_") for value in ranking_pb2.State.DESCRIPTOR.values if value.number
    ]
    assert [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")] == states


def test_every_reason_is_there() -> None:
    page = PAGES["reasons.md"]()
    for reason in (*DropReason, *RejectReason):
        assert f"| `{reason}` | {reason.meaning}" in page


def test_metrics_have_types_labels_and_meanings() -> None:
    page = PAGES["metrics.md"]()
    assert "| `pilotfish_requests_dropped_total` | counter | `endpoint` `reason` |" in page
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert rows
    assert all(row[3].strip(" |") for row in rows)


def test_pages_are_written_once_and_old_ones_go(tmp_path: Path) -> None:
    (tmp_path / "gone.md").write_text("old")
    write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(PAGES)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    write(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == times
