"""The services answer the methods that the proto files declare, with the declared messages."""

from __future__ import annotations

import inspect
import typing
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf.message_factory import GetMessageClass
from pilotfish.v1 import candidate_pb2, performance_pb2, ranking_pb2, traffic_pb2

from sidecar.serving.api.candidates import CandidateService
from sidecar.serving.api.performance import PerformanceService
from sidecar.serving.api.ranking import RankingService
from sidecar.serving.capture.push.traffic import TrafficService

SERVICES: tuple[Any, ...] = (CandidateService, PerformanceService, RankingService, TrafficService)
FILES = (candidate_pb2, performance_pb2, ranking_pb2, traffic_pb2)
DECLARED = {
    f"/{service.full_name}/{method.name}": method
    for file in FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}


def answered() -> dict[str, grpc.RpcMethodHandler[Any, Any]]:
    """The method tables of all services; a service needs nothing to make its table."""
    tables: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
    for service in SERVICES:
        tables |= service.__new__(service).methods()._method_handlers
    return tables


def test_all_declared_methods_are_answered_and_no_others() -> None:
    assert sorted(answered()) == sorted(DECLARED)


@pytest.mark.parametrize("path", DECLARED)
def test_a_method_is_answered_as_it_is_declared(path: str) -> None:
    declared, handler = DECLARED[path], answered()[path]
    assert handler.request_streaming == declared.client_streaming
    assert handler.response_streaming == declared.server_streaming
    assert handler.request_deserializer is not None
    assert type(handler.request_deserializer(b"")) is GetMessageClass(declared.input_type)
    # A ranking leaves as bytes: integration tests read what they are.
    returned = returned_by(handler)
    assert returned in {bytes, GetMessageClass(declared.output_type)}
    assert (handler.response_serializer is None) == (returned is bytes)


def returned_by(handler: grpc.RpcMethodHandler[Any, Any]) -> object:
    """The annotated type of an answer, or of one answer of a stream."""
    method = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    returned = typing.get_type_hints(inspect.unwrap(typing.cast("Any", method)))["return"]
    return typing.get_args(returned)[0] if typing.get_origin(returned) is AsyncIterator else returned
