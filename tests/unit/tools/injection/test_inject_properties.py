from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sidecar.tools.injection.inject import inject_documents, uninject_documents
from sidecar.tools.injection.manifests import read_manifests, write_manifests
from sidecar.tools.injection.workloads import KINDS, Document
from tests.support.manifests import CLASSIC, FILES, INJECTION, WITH_ENVOY, names, pod_of

NOTHING = object()
NAMES = st.sampled_from(["a", "b", "c"])
CONTAINERS = st.lists(st.fixed_dictionaries({"name": NAMES, "image": st.just("x")}), max_size=2)
MAPPING = st.dictionaries(
    st.sampled_from(["x", "prometheus.io/port", "checksum/y"]), st.text(max_size=3), max_size=2
)


def perhaps(filled: st.SearchStrategy[Any], *empty: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401 - YAML
    return st.one_of(filled, st.sampled_from([NOTHING, None, *empty]))


@st.composite
def workloads(draw: st.DrawFn) -> Document:
    (group, kind), place = draw(st.sampled_from(sorted(KINDS.items(), key=lambda one: one[0])))

    def some(**parts: Any) -> dict[str, Any]:  # noqa: ANN401 - YAML
        drawn = {key: draw(part) for key, part in parts.items()}
        return {key: value for key, value in drawn.items() if value is not NOTHING}

    pod = some(
        initContainers=perhaps(CONTAINERS, []),
        containers=perhaps(CONTAINERS, []),
        volumes=perhaps(CONTAINERS, []),
        terminationGracePeriodSeconds=perhaps(st.integers(0, 100)),
        restartPolicy=st.just("Always"),
    )
    document: Document = {
        "apiVersion": f"{group}/v1" if group else "v1",
        "kind": kind,
        "metadata": {"name": "w"},
    }
    at = document
    for key in place.pod[:-1]:
        at = at.setdefault(key, {})
    at[place.pod[-1]] = pod
    metadata = some(annotations=perhaps(MAPPING, {}), labels=st.sampled_from([NOTHING, {"app": "w"}]))
    if place.metadata == place.pod:
        pod |= metadata
    elif place.metadata == ("metadata",):
        document["metadata"] |= metadata
    else:
        whole = draw(perhaps(st.just(metadata), {}))
        if whole is not NOTHING:
            at["metadata"] = whole
    return document


@given(workloads(), st.sampled_from([INJECTION, WITH_ENVOY, CLASSIC]))
def test_any_workload_comes_back_as_it_was(document: Document, injection: Any) -> None:  # noqa: ANN401 - of the list
    once = inject_documents([document], injection, FILES)
    assert uninject_documents(once) == [document]
    assert inject_documents(once, injection, FILES) == once
    listed = names(pod_of(once[-1]).get("containers")) + names(pod_of(once[-1]).get("initContainers"))
    assert listed.count("pilotfish") == 1


@given(workloads())
def test_what_is_printed_is_what_was_made(document: Document) -> None:
    once = inject_documents([document], WITH_ENVOY, FILES)
    assert read_manifests(write_manifests(once), "printed") == once
