"""Puts the containers into one object, or into all of a stream of objects, and takes them out again."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from sidecar.core.errors import InvalidError
from sidecar.tools.injection.containers import NAMES, VOLUME, Injection, config_volume, containers
from sidecar.tools.injection.record import GRACE, INJECTED, Record, restore
from sidecar.tools.injection.workloads import (
    KINDS,
    Document,
    Kind,
    annotations_of,
    each,
    metadata_of,
    name_of,
    pod_spec,
    said,
)

WANTED: Final = "pilotfish/inject"
_HOOK: Final = "helm.sh/hook"
_SCRAPE: Final = "prometheus.io/"
_DEFAULT_GRACE_S: Final = 30  # Kubernetes' own
_AFTERWARDS_S: Final = 5  # to end scoring when the last call is done


def inject_documents(
    documents: Sequence[Document], injection: Injection, files: Mapping[str, str], only: str | None = None
) -> list[Document]:
    """Injects every workload of a stream; all else passes through.

    Left alone are workloads annotated `pilotfish/inject: "false"` and Helm's hooks. What was injected before
    is injected anew.

    Args:
        documents: the objects.
        injection: what is put in; without a `config_map` each workload has one of its own name, made here.
        files: contents of that, by name.
        only: name of the one workload that is meant.

    Raises:
        InvalidError: no workload is found, or one cannot take the containers.
    """
    injected: list[str] = []
    made: list[Document] = []

    def change(document: Document, kind: Kind | None) -> Iterator[Document]:
        if only is not None and name_of(document) != (_own_config_map(only) if kind is None else only):
            yield document
            return
        for plain in _uninjected(document, kind):
            if kind is None or _left_alone(plain, kind):
                yield plain
                continue
            injected.append(said(plain))
            config_map = injection.config_map
            if config_map is None:
                config_map = _own_config_map(_named(plain))
                own = _config_map(plain, config_map, files)
                if own not in made:
                    made.append(own)
                    yield own
            yield inject_document(plain, kind, injection, config_map)

    found = list(each(documents, change))
    if not injected:
        raise InvalidError(
            f"there is no workload{f' {only!r}' if only else ''} to inject into, only "
            f"{', '.join(sorted({str(one.get('kind')) for one in documents})) or 'nothing'}; Pilotfish goes "
            f"into {', '.join(kind for _, kind in KINDS)}, not into Helm's hooks, nor where the annotation "
            f'{WANTED} is "false"'
        )
    return found


def uninject_documents(documents: Iterable[Document]) -> list[Document]:
    """Takes everything out of a stream that `inject_documents` put in."""
    return list(each(documents, _uninjected))


def inject_pod(pod: Document, injection: Injection, config_map: str) -> Document:
    """Injects a pod that is about to be made; one that was injected already is given back.

    Raises:
        InvalidError: it cannot take the containers; the message says why.
    """
    if INJECTED in annotations_of(pod.get("metadata")):
        return pod
    return inject_document(pod, KINDS["", "Pod"], injection, config_map)


def inject_document(document: Document, kind: Kind, injection: Injection, config_map: str) -> Document:
    """Injects one workload that was not injected before.

    Raises:
        InvalidError: it cannot take the containers; the message says why.
    """
    changed = copy.deepcopy(document)
    pod = pod_spec(changed, kind)
    try:
        _refuse_what_cannot_be(changed, pod, injection)
        record = Record()
        record.append(pod, "volumes", [config_volume(config_map)])
        wanted = containers(injection)
        if injection.classic or not kind.whole:
            record.append(pod, "containers", wanted)
        else:
            # At the end: what other init containers fetch is there.
            record.append(pod, "initContainers", [{**one, "restartPolicy": "Always"} for one in wanted])
        grace_s = injection.listening.grace_s + _AFTERWARDS_S
        if kind.whole and grace_s > _grace_s(pod):
            record.set_grace(pod, grace_s)
        _annotate(changed, kind, record, injection.listening.http)
    except InvalidError as error:
        raise InvalidError(f"{said(document)}: {error}") from error
    return changed


def _uninjected(document: Document, kind: Kind | None) -> Iterator[Document]:
    """The object as it was before; nothing, if it was made here."""
    if kind is None and INJECTED in annotations_of(document.get("metadata")):
        return
    document = copy.deepcopy(document)
    if kind is not None:
        restore(document, kind)
    yield document


def _annotate(document: Document, kind: Kind, record: Record, port: int) -> None:
    holder: Any = document
    for key in kind.metadata[:-1]:
        holder = holder[key]
    *_, last = kind.metadata
    annotations = record.mapping(
        record.mapping(holder, last) if last == "metadata" else holder[last], "annotations"
    )
    # There is room for one port: a model server that is scraped already stays so.
    if not any(key.startswith(_SCRAPE) for key in annotations):
        added = {f"{_SCRAPE}scrape": "true", f"{_SCRAPE}port": str(port), f"{_SCRAPE}path": "/metrics"}
        annotations.update(added)
        record.annotations = list(added)
    annotations[INJECTED] = record.text()


def _left_alone(document: Document, kind: Kind) -> bool:
    own = annotations_of(document.get("metadata"))
    pods = annotations_of(metadata_of(document, kind))
    return _HOOK in own or "false" in {own.get(WANTED), pods.get(WANTED)}


def _grace_s(pod: dict[str, Any]) -> int:
    given = pod.get(GRACE)
    return given if isinstance(given, int) else _DEFAULT_GRACE_S


def _named(document: Document) -> str:
    name = name_of(document)
    if not name:
        raise InvalidError(f"{said(document)}: its ConfigMap would have none: name one with --config-map")
    return name


def _own_config_map(name: str) -> str:
    return f"{name}-pilotfish"


def _config_map(document: Document, name: str, files: Mapping[str, str]) -> Document:
    metadata = document.get("metadata")
    namespace = metadata.get("namespace") if isinstance(metadata, dict) else None
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            **({"namespace": namespace} if namespace else {}),
            "labels": {"app.kubernetes.io/name": "pilotfish"},
            "annotations": {INJECTED: "config"},
        },
        "data": dict(files),
    }


def _refuse_what_cannot_be(document: Document, pod: dict[str, Any], injection: Injection) -> None:
    theirs = [*(pod.get("initContainers") or ()), *(pod.get("containers") or ())]
    volumes = [one.get("name") for one in pod.get("volumes") or ()]
    for name in {*NAMES, VOLUME} & {*volumes, *(one.get("name") for one in theirs)}:
        raise InvalidError(f"has a {name!r} that `pilotfish inject` did not put there: rename it")
    taken = {
        port.get("containerPort"): one.get("name")
        for one in theirs
        for port in one.get("ports") or ()
        if isinstance(port, dict) and port.get("protocol", "TCP") == "TCP"
    }
    for port in injection.ports:
        if port in taken:
            raise InvalidError(f"{taken[port]!r} listens on {port}, and so would Pilotfish or its Envoy")
        if injection.ports.count(port) > 1:
            raise InvalidError(f"Pilotfish and its Envoy would both listen on {port}: change one")
    if injection.classic and pod.get("restartPolicy") in {"Never", "OnFailure"}:
        raise InvalidError("would never end beside a plain container: leave --classic out")
    if injection.models is not None:
        claims = (document.get("spec") or {}).get("volumeClaimTemplates") or ()
        known = [*volumes, *(name_of(claim) for claim in claims)]
        if injection.models.volume not in known:
            raise InvalidError(
                f"has no volume {injection.models.volume!r}, only: {', '.join(map(str, known)) or 'none'}"
            )
