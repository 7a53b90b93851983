from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.errors import InvalidError
from sidecar.tools.injection.manifests import read_manifests, write_manifests

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"))
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0o644", 420),
        ("0644", 420),
        ("0x1F", 31),
        ("0b11", 3),
        ("1e3", 1000.0),
        ("-1.5", -1.5),
        ("y", True),
        ("N", False),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("=", "="),
        ("08", 8.0),
        ("on", True),
        ("~", None),
        ("1.2.3", "1.2.3"),
        ("250m", "250m"),
        ("'1e3'", "1e3"),
    ],
)
def test_scalars_are_read_as_kubernetes_reads_them(text: str, value: Any) -> None:  # noqa: ANN401 - YAML
    found = read_manifests(f"a: {text}", "x")[0]["a"]
    assert (found, type(found)) == (value, type(value))


AMBIGUOUS = (
    *(
        "y",
        "n",
        "Yes",
        "on",
        "OFF",
        "true",
        "null",
        "~",
        "1e3",
        "12345e7",
        "0o7",
        "08",
        "1_000",
        "0x1f",
        ".5",
    ),
    *("12:30", "2024-01-01", "+.inf", "-", "?", "=", "<<", "*a", "&a", "!a", "%", "@", "`"),
    *("", " a", "a ", "a: b", "a #b"),
)


# Which of these are numbers or truth values differs between versions of YAML; in quotes all are texts.
@pytest.mark.parametrize("text", AMBIGUOUS)
def test_what_could_be_something_else_is_in_quotes(text: str) -> None:
    printed = write_manifests([{"a": text}])
    assert printed in {f'---\na: "{text}"\n', f"---\na: '{text}'\n"}
    assert yaml.safe_load(printed) == {"a": text}


@pytest.mark.parametrize(
    "text", ["triton", "--config", "nvcr.io/nvidia/triton:24.10", "observer-9002", "a b"]
)
def test_plain_texts_stay_plain(text: str) -> None:
    assert write_manifests([{"a": text}]) == f"---\na: {text}\n"


def test_texts_of_several_lines_stay_so() -> None:
    # To some readers these end a line, to others not.
    assert write_manifests([{"a": "one\x85\ntwo\u2028"}]) == '---\na: "one\\N\\ntwo\\L"\n'
    assert write_manifests([{"a": "one:\n  two\n"}]) == "---\na: |\n  one:\n    two\n"


@given(
    st.dictionaries(
        st.text("ab", max_size=2), SCALARS | st.lists(SCALARS, max_size=3), min_size=1, max_size=4
    )
)
def test_what_is_written_is_read_again(document: dict[str, Any]) -> None:
    printed = write_manifests([document, document])
    assert read_manifests(printed, "x") == [document, document]


def test_aliases_become_copies_and_empty_documents_go() -> None:
    text = "---\n# nothing\n---\na: &one {b: [1]}\nc: *one\n---\nnull\n"
    (found,) = read_manifests(text, "x")
    assert found["a"] == found["c"]
    assert found["a"] is not found["c"]
    assert write_manifests([found]) == "---\na:\n  b:\n  - 1\nc:\n  b:\n  - 1\n"


def test_json_is_read_as_json() -> None:
    text = json.dumps({"a": "tab\t and \U0001f41f", "b": [1, 1e3, True, None]}, indent="\t")
    (found,) = read_manifests(text, "x")
    assert found == json.loads(text)
    assert read_manifests(write_manifests([found]), "x") == [found]
    assert read_manifests("{a: y}", "x") == [{"a": True}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "x is not YAML"),
        ("- a", "document 1 is not an object of Kubernetes but a list"),
        ("a: !!x b", "YAML"),
    ],
)
def test_what_is_no_manifest_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidError, match=said):
        read_manifests(text, "x")
