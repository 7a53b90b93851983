"""The one table of workload kinds: where in an object its pods are described."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sidecar.core.errors import InvalidError

Document: TypeAlias = dict[str, Any]  # an object of Kubernetes, as it stands in YAML


@dataclass(frozen=True, slots=True)
class Kind:
    """Where an object of a kind keeps its pods.

    Attributes:
        pod: keys that lead to the pod spec.
        metadata: keys that lead to the mapping with the pods' `annotations`.
        whole: whether the pod spec has all fields; one that has not knows no init containers and no
            termination grace period.
    """

    pod: tuple[str, ...]
    metadata: tuple[str, ...]
    whole: bool = True


_TEMPLATE: Final = Kind(("spec", "template", "spec"), ("spec", "template", "metadata"))
_JOB: Final = ("spec", "jobTemplate", "spec", "template")

# By API group and kind.
KINDS: Final[Mapping[tuple[str, str], Kind]] = {
    ("apps", "Deployment"): _TEMPLATE,
    ("apps", "StatefulSet"): _TEMPLATE,
    ("apps", "DaemonSet"): _TEMPLATE,
    ("apps", "ReplicaSet"): _TEMPLATE,
    ("batch", "Job"): _TEMPLATE,
    ("batch", "CronJob"): Kind((*_JOB, "spec"), (*_JOB, "metadata")),
    ("", "Pod"): Kind(("spec",), ("metadata",)),
    ("serving.kserve.io", "InferenceService"): Kind(("spec", "predictor"), ("spec", "predictor")),
    ("serving.kserve.io", "ServingRuntime"): Kind(("spec",), ("spec",), whole=False),
}


def kind_of(document: Document) -> Kind | None:
    """The kind of an object; None where it has no pods that are known of."""
    group, slash, _ = str(document.get("apiVersion", "")).partition("/")
    return KINDS.get((group if slash else "", str(document.get("kind"))))


def said(document: Document) -> str:
    """How messages call an object: `Deployment triton`."""
    return f"{document.get('kind')} {name_of(document) or 'without a name'}"


def name_of(document: Document) -> str:
    """The object's name, or what its names begin with."""
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    return str(metadata.get("name") or metadata.get("generateName", "")).rstrip("-")


def annotations_of(holder: object) -> dict[str, Any]:
    """The annotations of a mapping that may have them; empty where there are none."""
    found = holder.get("annotations") if isinstance(holder, dict) else None
    return found if isinstance(found, dict) else {}


def metadata_of(document: Document, kind: Kind) -> object:
    """What has the pods' annotations; None where that is missing."""
    return _at(document, kind.metadata)


def pod_spec(document: Document, kind: Kind) -> dict[str, Any]:
    """The pod spec, to read or to change.

    Raises:
        InvalidError: there is none.
    """
    found = _at(document, kind.pod)
    if not isinstance(found, dict):
        raise InvalidError(f"{said(document)}: {'.'.join(kind.pod)} is no mapping; is the object whole?")
    for key in ("initContainers", "containers", "volumes"):
        entries = found.get(key) or []
        if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
            raise InvalidError(f"{said(document)}: {key} is no list of mappings")
    return found


def each(
    documents: Iterable[Document], change: Callable[[Document, Kind | None], Iterable[Document]]
) -> Iterator[Document]:
    """Replaces every object, also those inside lists, by what `change` makes of it.

    Raises:
        InvalidError: a list holds something else.
    """
    for document in documents:
        if not isinstance(document, dict):
            raise InvalidError(f"a List holds {document!r}, which is no object of Kubernetes")
        items = document.get("items")
        # A list of one kind could not take a ConfigMap.
        if document.get("kind") == "List" and isinstance(items, list):
            yield {**document, "items": list(each(items, change))}
        else:
            yield from change(document, kind_of(document))


def _at(document: Document, path: Iterable[str]) -> Any:  # noqa: ANN401 - YAML
    found: Any = document
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found
