"""Reads which models a V2 server lists as ready in its repository index."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from sidecar.core.errors import InvalidError, UnavailableError

if TYPE_CHECKING:
    from sidecar.wire.v2.server import V2Server


class IndexState(StrEnum):
    """Whether a server tells its models."""

    READ = "READ"
    AWAY = "AWAY"  # not reached; it may come back
    REFUSED = "REFUSED"  # it has no index, or not for us


class WatchKey(NamedTuple):
    """Whose models are watched: for an endpoint, at a server, those that fit a pattern."""

    endpoint: str
    url: str
    models: str


@dataclass(frozen=True, slots=True)
class Index:
    """The result of reading a server's index.

    Attributes:
        state: what `models` is worth: it is empty unless READ.
        models: names of those that are ready, in any version, each once.
        reason: why there are none, with the mend.
    """

    state: IndexState
    models: tuple[str, ...] = ()
    reason: str = ""


def ready_models(server: V2Server) -> Index:
    """Asks a server for its models; whatever it does is told, not raised."""
    # The V2 messages are for those who look for models.
    from tritonclient.grpc import service_pb2  # noqa: PLC0415

    try:
        told = server.known("RepositoryIndex", service_pb2.RepositoryIndexRequest(ready=True))
    except UnavailableError as error:
        return Index(IndexState.AWAY, reason=str(error))
    except InvalidError as error:
        return Index(IndexState.REFUSED, reason=str(error))
    if told is None:
        return Index(
            IndexState.REFUSED,
            reason=f"{server.address}: no repository index (UNIMPLEMENTED): name its models in `candidates`",
        )
    # A version a line; MLServer gives the states a prefix, `State.READY`.
    ready = (one.name for one in told.models if one.state.rpartition(".")[2] == "READY")
    return Index(IndexState.READ, tuple(dict.fromkeys(ready)))
