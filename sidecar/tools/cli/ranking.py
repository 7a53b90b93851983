"""`pilotfish ranking`: asks a running sidecar for its ranking and prints it."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import grpc
from cyclopts import Parameter, validators
from pilotfish.v1 import ranking_pb2, ranking_pb2_grpc
from rich.console import Console

from sidecar.config.units import read_address
from sidecar.core.errors import InvalidError, NotFoundError, PilotfishError, UnavailableError
from sidecar.tools.cli.ranking_table import ranking_document, ranking_table

_PERMANENT = {grpc.StatusCode.NOT_FOUND: NotFoundError, grpc.StatusCode.INVALID_ARGUMENT: InvalidError}


def ranking(
    *,
    endpoint: str,
    address: str = "127.0.0.1:9500",
    segment: str = "",
    timeout: Annotated[float, Parameter(validator=validators.Number(gt=0))] = 10.0,
    format: Literal["table", "json"] = "table",  # noqa: A002 - the option's name
) -> None:
    """Asks a running Pilotfish for an endpoint's newest ranking.

    Args:
        endpoint: Name of the endpoint.
        address: HOST:PORT of Pilotfish's gRPC services, `serve.grpc` in its configuration.
        segment: Segment of the traffic, as the ranking names it. The default is the whole window.
        timeout: Seconds to wait until Pilotfish serves and has its first ranking.
        format: table prints a table for people; json prints one JSON object.
    """
    newest = _ask(address, ranking_pb2.WatchRankingRequest(endpoint=endpoint, segment=segment), timeout)
    if format == "json":
        print(json.dumps(ranking_document(newest), indent=2))  # noqa: T201 - the output
    else:
        Console().print(ranking_table(newest))


def _ask(address: str, request: ranking_pb2.WatchRankingRequest, timeout_s: float) -> ranking_pb2.Ranking:
    """Returns the first message of WatchRanking, which waits for the first round, as GetRanking does not."""
    read_address(address, "--address")
    with grpc.insecure_channel(address) as channel:
        stream = ranking_pb2_grpc.RankingServiceStub(channel).WatchRanking(
            request, timeout=timeout_s, wait_for_ready=True
        )
        try:
            return next(stream).ranking
        except grpc.RpcError as error:
            raise _told(error, address, timeout_s) from error


def _told(error: grpc.RpcError, address: str, timeout_s: float) -> PilotfishError:
    assert isinstance(error, grpc.Call), "of a call that ended"  # noqa: S101 - for mypy
    if error.code() in _PERMANENT:
        return _PERMANENT[error.code()](error.details())
    if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
        return UnavailableError(
            f"--address: {address} gave no ranking within {timeout_s:g} s: check that this is Pilotfish's "
            "gRPC port and that Pilotfish is ready, or wait longer with --timeout"
        )
    return UnavailableError(f"--address: {address}: {error.code().name}: {error.details()}")
