from __future__ import annotations

import copy
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.tools.injection.inject import inject_pod
from sidecar.tools.injection.patch import json_patch
from tests.support.manifests import CLASSIC, INJECTION, WITH_ENVOY, read

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.text("ab~/01-", max_size=3),
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.text("ab~/0", max_size=3), below, max_size=3)
    ),
    max_leaves=12,
)


def applied(before: Any, patch: list[dict[str, Any]]) -> Any:  # noqa: ANN401 - JSON
    return jsonpatch.apply_patch(copy.deepcopy(before), patch)


@given(JSON, JSON)
def test_the_patch_makes_one_of_the_other(before: Any, after: Any) -> None:  # noqa: ANN401 - JSON
    patch = list(json_patch(before, after))
    result = applied(before, patch)
    assert (result, repr(result) == repr(after) or sorted(repr(result)) == sorted(repr(after))) == (
        after,
        True,
    )


@given(JSON)
def test_what_is_alike_needs_none(value: Any) -> None:  # noqa: ANN401 - JSON
    assert list(json_patch(value, copy.deepcopy(value))) == []


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        ({"a": [1]}, {"a": [1, 2, 3]}, [("add", "/a/-", 2), ("add", "/a/-", 3)]),
        ({"a": [1, 2]}, {"a": [2]}, [("replace", "/a", [2])]),
        ({"a": 1}, {"b/c~d": 1}, [("remove", "/a", None), ("add", "/b~1c~0d", 1)]),
        ({"a": 1}, {"a": True}, [("replace", "/a", True)]),
    ],
)
def test_the_operations_are_the_known_ones(
    before: dict[str, Any], after: dict[str, Any], patch: list[tuple[str, str, Any]]
) -> None:
    found = [(one["op"], one["path"], one.get("value")) for one in json_patch(before, after)]
    assert found == patch


@pytest.mark.parametrize("injection", [INJECTION, WITH_ENVOY, CLASSIC], ids=["own", "envoy", "classic"])
def test_a_patch_of_a_pod_adds_alone(injection: Any) -> None:  # noqa: ANN401 - of the list
    pod = read("pod.json")[0]
    wanted = inject_pod(pod, injection, "shared")
    patch = list(json_patch(pod, wanted))
    assert applied(pod, patch) == wanted
    assert {one["op"] for one in patch} == {"add"}
