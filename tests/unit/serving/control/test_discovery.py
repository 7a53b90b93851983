"""Which models of an index become candidates, and which candidates an endpoint then has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sidecar.config.candidates import joined
from sidecar.config.schema import MAX_CANDIDATES, V2, Candidate, Config, Discover, Endpoint
from sidecar.serving.control.desired import DesiredState
from sidecar.serving.control.discovery import Chosen, chosen


def section(**more: Any) -> Discover:  # noqa: ANN401 - YAML
    return Discover.model_validate({"url": "s:1", "profiles": "/p/{model}.st", **more})


def served(*names: str) -> list[Candidate]:
    return [section().candidate(name) for name in names]


def named(name: str, **v2: str) -> Candidate:
    model = {"v2": {"url": "s:1", **v2}} if v2 else {"onnx": {"path": "m.onnx"}}
    return Candidate.model_validate({"name": name, "profile": "p.st", **model})


def test_a_candidate_has_the_models_name_its_profile_and_the_servers_options() -> None:
    made = section(
        profiles="/p/{model}/{model}.st",
        every="1s",
        batch=8,
        deadline="200ms",
        labels=["a", "b"],
        tls={"ca": "/ca.pem"},
        metadata={"authorization": "Bearer x"},
    ).candidate("digits_eu")
    assert made == Candidate(
        name="digits_eu",
        profile=Path("/p/digits_eu/digits_eu.st"),
        v2=V2.model_validate(
            {
                "url": "s:1",
                "model": "digits_eu",
                "batch": 8,
                "deadline": 0.2,
                "labels": ["a", "b"],
                "tls": {"ca": "/ca.pem"},
                "metadata": {"authorization": "Bearer x"},
            }
        ),
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"profiles": "/p/all.st"}, "write it in place of the model's name"),
        ({"models": ""}, "at least 1 character"),
        ({"model": "digits"}, "Extra inputs"),
    ],
)
def test_what_a_section_refuses(change: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        section(**change)


def test_a_server_is_asked_for_a_pattern_once() -> None:
    entry = {"url": "s:1", "profiles": "{model}.st"}
    whole = {
        "name": "e",
        "incumbent": "a",
        "candidates": [{"name": "a", "profile": "p", "onnx": {"path": "m"}}],
    }
    Endpoint.model_validate({**whole, "discover": [entry, {**entry, "models": "b*"}]})
    with pytest.raises(ValidationError, match=r"models '\*' of s:1 is listed twice"):
        Endpoint.model_validate({**whole, "discover": [entry, entry]})


def test_models_that_fit_are_chosen_those_known_first() -> None:
    models = ("digits_z", "digits_b", "other", "digits_a", "Digits_c")
    assert chosen(section(models="digits_*"), models) == Chosen(("digits_a", "digits_b", "digits_z"))
    assert chosen(section(models="digits_*"), models, known=("digits_z", "gone")) == Chosen(
        ("digits_z", "digits_a", "digits_b")
    )
    assert chosen(section(), models).models == tuple(sorted(models))


def test_names_that_no_candidate_can_have_are_left_out() -> None:
    odd = ("../secret", "a b", "", "x" * 64, "ä", "a/b", "a\n")
    found = chosen(section(), (*odd, "fine"))
    assert found.models == ("fine",)
    assert set(found.left_out) == set(odd)


def test_there_are_so_many_and_no_more() -> None:
    models = tuple(f"m{number:04}" for number in range(MAX_CANDIDATES + 3))
    found = chosen(section(), models)
    assert found == Chosen(models[:MAX_CANDIDATES], models[MAX_CANDIDATES:])
    every, left_out = joined([named("a")], served(*models[:MAX_CANDIDATES]))
    assert len(every) == MAX_CANDIDATES
    assert left_out == (models[MAX_CANDIDATES - 1],)


def test_a_model_that_is_named_is_no_second_candidate_and_a_name_has_one() -> None:
    own = [named("incumbent", model="digits_a"), named("digits_b", model="other")]
    every, left_out = joined(own, served("digits_a", "digits_b", "digits_c"))
    assert [one.name for one in every] == ["incumbent", "digits_b", "digits_c"]
    assert left_out == ("digits_b",)


@pytest.fixture
def state(tmp_path: Path) -> DesiredState:
    for name in ("a.onnx", "a.st"):
        (tmp_path / name).touch()
    endpoint = {
        "name": "digits",
        "incumbent": "own",
        "candidates": [named("own")],
        "discover": [section()],
    }
    return DesiredState(Config.model_validate({"endpoints": [endpoint]}), tmp_path)


def names(state: DesiredState) -> list[str]:
    return [candidate.name for candidate in state.config.endpoints[0].candidates]


def test_what_servers_have_comes_and_goes(state: DesiredState) -> None:
    assert state.discover("digits", served("b", "c")) == ()
    assert names(state) == ["own", "b", "c"]
    assert state.configured("digits") == {"own", "b", "c"}
    state.discover("digits", served("c", "d"))
    assert names(state) == ["own", "c", "d"]
    state.discover("digits", ())
    assert names(state) == ["own"]


def test_one_that_is_removed_stays_away_until_it_is_registered(state: DesiredState) -> None:
    state.discover("digits", served("b", "c"))
    state.remove("digits", "b")
    state.discover("digits", served("b", "c", "d"))
    assert names(state) == ["own", "c", "d"]
    state.register("digits", name="b", profile=Path("a.st"), onnx=Path("a.onnx"))
    assert state.discover("digits", served("b", "c")) == ("b",)
    assert names(state) == ["own", "b", "c"]
    assert state.endpoint("digits").candidates[1].onnx is not None


def test_a_new_model_takes_nobodys_place(state: DesiredState) -> None:
    many = [f"m{number:04}" for number in range(MAX_CANDIDATES)]
    assert state.discover("digits", served(*many)) == (many[-1],)
    kept = names(state)
    assert state.discover("digits", served("a-new-one", *many[:-1])) == ("a-new-one",)
    assert names(state) == kept
