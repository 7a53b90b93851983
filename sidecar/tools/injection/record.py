"""What injection changed in an object, and how that is undone: exactly, also after others changed more.

What was added is known by its names. The record, an annotation, keeps only what cannot be seen afterwards:
values that were replaced, and whether an empty list or mapping stood where something was added.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from sidecar.core.errors import InvalidError
from sidecar.tools.injection.containers import NAMES, VOLUME
from sidecar.tools.injection.workloads import Document, Kind, annotations_of, metadata_of, pod_spec, said

INJECTED: Final = "pilotfish/injected"
GRACE: Final = "terminationGracePeriodSeconds"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Grace(_Part):
    now: int
    before: int | None = None


class Record(_Part):
    """Changes an object, and gathers what that leaves no trace of.

    Attributes:
        annotations: that were added.
        empty: what stood where something was added, if it was neither absent nor filled.
        grace: the termination grace period, if it was changed.
    """

    annotations: list[str] = []
    empty: dict[
        Literal["metadata", "annotations", "initContainers", "containers", "volumes"],
        list[None] | dict[str, None] | None,
    ] = {}
    grace: _Grace | None = None

    def append(self, pod: dict[str, Any], key: Any, entries: Iterable[dict[str, Any]]) -> None:  # noqa: ANN401 - a literal
        """Appends to a list, which may be missing."""
        pod[key] = [*self._filled(pod, key, list), *entries]

    def mapping(self, holder: dict[str, Any], key: Any) -> dict[str, Any]:  # noqa: ANN401 - a literal
        """A mapping to add to, which may be missing."""
        holder[key] = self._filled(holder, key, dict)
        found: dict[str, Any] = holder[key]
        return found

    def set_grace(self, pod: dict[str, Any], seconds: int) -> None:
        """Sets the termination grace period."""
        self.grace = _Grace(now=seconds, **({"before": pod[GRACE]} if GRACE in pod else {}))
        pod[GRACE] = seconds

    def text(self) -> str:
        """The annotation's value."""
        return self.model_dump_json(exclude_unset=True)

    def _filled(self, holder: dict[str, Any], key: Any, kind: type[Any]) -> Any:  # noqa: ANN401 - YAML
        found = holder.get(key)
        if found and not isinstance(found, kind):
            raise InvalidError(f"{key} is a {type(found).__name__}, and no {kind.__name__}")
        if not found and key in holder:
            self.empty = {**self.empty, key: found}
        return found or kind()


def restore(document: Document, kind: Kind) -> None:
    """Takes out of an object what injection put in; one without a record is left as it is.

    Raises:
        InvalidError: the record cannot be read.
    """
    metadata: Any = metadata_of(document, kind)
    annotations = annotations_of(metadata)
    if INJECTED not in annotations:
        return
    record = _read(document, annotations.pop(INJECTED))
    pod = pod_spec(document, kind)
    for key, names in (("initContainers", NAMES), ("containers", NAMES), ("volumes", (VOLUME,))):
        kept = [one for one in pod.get(key) or () if one.get("name") not in names]
        if len(kept) < len(pod.get(key) or ()):
            pod[key] = kept
            _leave(pod, key, record)
    if record.grace is not None and pod.get(GRACE) == record.grace.now:
        pod[GRACE] = record.grace.before
        if "before" not in record.grace.model_fields_set:
            del pod[GRACE]
    for key in record.annotations:
        annotations.pop(key, None)
    _leave(metadata, "annotations", record)
    *above, last = kind.metadata
    if last == "metadata":
        holder: Any = document
        for key in above:
            holder = holder[key]
        _leave(holder, last, record)


def _leave(holder: Any, key: Any, record: Record) -> None:  # noqa: ANN401 - YAML
    """What became empty is what it was before: absent, null, or empty."""
    if holder[key]:
        return
    if key in record.empty:
        holder[key] = record.empty[key]
    else:
        del holder[key]


def _read(document: Document, text: object) -> Record:
    try:
        return Record.model_validate_json(str(text))
    except ValidationError as error:
        raise InvalidError(
            f"{said(document)}: the annotation {INJECTED} is not what `pilotfish inject` wrote; take it, the "
            f"containers {' and '.join(NAMES)} and the volume {VOLUME} out by hand"
        ) from error
