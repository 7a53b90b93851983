"""The two tables of captures have the same captures, those of runners the same runners."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from sidecar.config import schema
from sidecar.config.schema import CAPTURES, RUNNERS, CaptureSection, Listens, RunnerSection
from sidecar.core.errors import InvalidError
from sidecar.core.measure_names import DEFAULT, MEASURE_NAMES, known_measure
from sidecar.estimation.measures import table as measures
from sidecar.scoring.runners import table as runners
from sidecar.serving.capture import table as captures
from sidecar.serving.capture.core.counts import CaptureKey
from sidecar.serving.capture.core.listener import EventListener
from sidecar.serving.incumbent.opening import ANSWERS_LIVE

OPENING = [*(row.open for row in captures.CAPTURES), *(row.open for row in runners.RUNNERS)]


def test_every_capture_has_a_section_and_something_that_starts_it() -> None:
    assert [*CAPTURES.values()] == [row.section for row in captures.CAPTURES]


def test_every_runner_has_a_section_and_something_that_opens_it() -> None:
    assert [*RUNNERS.values()] == [row.section for row in runners.RUNNERS]


def test_what_may_answer_live_calls_can_be_opened_for_them() -> None:
    assert {one for one in RUNNERS.values() if one.answers_live} == ANSWERS_LIVE


@pytest.mark.parametrize("opening", OPENING, ids=lambda one: one.__name__)
def test_each_folder_has_the_same_few_files(opening: Callable[..., Any]) -> None:
    file = Path(str(sys.modules[opening.__module__].__file__))
    assert file.name == "opening.py"
    assert 10 <= len((file.parent / "README.md").read_text().splitlines()) <= 20


def test_what_listens_at_a_path_takes_events() -> None:
    at_paths = [row for row in captures.CAPTURES if row.section.listens is Listens.PATH]
    assert at_paths
    for row in at_paths:
        listener = row.open(CaptureKey("any", "/any"), row.section.model_construct(), {}, "")
        assert isinstance(listener, EventListener)


def test_a_section_says_what_everybody_asks() -> None:
    with pytest.raises(TypeError, match="Blind is the section of a capture: give it sees_latency"):

        class Blind(CaptureSection):
            sees_answers: ClassVar = False
            listen: str
            model: str | None = None

    with pytest.raises(TypeError, match="Deaf is the section of a capture: give it listen, model, upstream"):

        class Deaf(CaptureSection):
            relays: ClassVar = True
            sees_answers: ClassVar = False
            sees_latency: ClassVar = False

    with pytest.raises(TypeError, match="Lame is the section of a runner: give it batch, inputs"):

        class Lame(RunnerSection):
            path: str


def test_what_a_section_says_of_its_settings() -> None:
    proxy = schema.Proxy(listen="0.0.0.0:9001")
    assert proxy.where == "0.0.0.0:9001"
    assert proxy.asks_incumbent
    assert not schema.Proxy(listen="0.0.0.0:9001", upstream="127.0.0.1:8001").asks_incumbent
    assert schema.CloudEvents().where == "/events"
    assert not schema.Mirror(listen="0.0.0.0:9001").asks_incumbent
    assert schema.Mirror(listen="0.0.0.0:9001", envoy="127.0.0.1:9901").envoy_admin == "127.0.0.1:9901"


def test_the_names_of_measures_are_those_of_the_table() -> None:
    assert {one.name: one.default for one in measures.MEASURES} == MEASURE_NAMES
    assert measures.DEFAULT == DEFAULT
    assert [known_measure(name) for name in MEASURE_NAMES] == [*MEASURE_NAMES]
    with pytest.raises(InvalidError, match="there is no measure 'agrement': did you mean 'agreement'"):
        known_measure("agrement")
