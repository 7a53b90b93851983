"""TrafficService: offers pushed items to the same sampler as captured ones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

import grpc
from pilotfish.internal.v1 import scoring_pb2
from pilotfish.v1 import traffic_pb2

from sidecar.serving.capture.core.intake import MAX_SEGMENT_BYTES, Accounting, Intake
from sidecar.serving.errors import Context, answers


class Intakes(Protocol):
    """Finds an endpoint's intake; `sidecar.serving.app` does."""

    def intake(self, endpoint: str) -> Intake:
        """Returns the intake; raises NotFoundError."""
        ...


class TrafficService:
    """Never pushes back: what cannot be taken is counted in the answer."""

    name = "pilotfish.v1.TrafficService"

    def __init__(self, intakes: Intakes) -> None:
        self._intakes = intakes

    def methods(self) -> grpc.GenericRpcHandler:
        """Returns the service's method table for a gRPC server."""
        return grpc.method_handlers_generic_handler(
            self.name,
            {
                "Observe": grpc.stream_unary_rpc_method_handler(
                    answers(self.observe),
                    request_deserializer=traffic_pb2.ObserveRequest.FromString,
                    response_serializer=traffic_pb2.ObserveResponse.SerializeToString,
                )
            },
        )

    async def observe(
        self, requests: AsyncIterator[traffic_pb2.ObserveRequest], _: Context
    ) -> traffic_pb2.ObserveResponse:
        """Offers every item and counts what became of it."""
        total = traffic_pb2.ObserveResponse()
        async for request in requests:
            intake = self._intakes.intake(request.endpoint)
            before = intake.counts
            if intake.wants():
                segment = request.metadata.get(intake.segment_key, "").encode()[:MAX_SEGMENT_BYTES]
                request.ClearField("metadata")
                intake.take(
                    scoring_pb2.Observation(endpoint=request.endpoint, pushed=request, segment=segment)
                )
            _add(total, before, intake.counts)
        return total


def _add(total: traffic_pb2.ObserveResponse, before: Accounting, after: Accounting) -> None:
    """Adds what one item changed; nothing else runs between the two counts."""
    total.seen += after.seen - before.seen
    total.sampled += after.sampled - before.sampled
    total.skipped += after.skipped - before.skipped
    for reason, count in after.dropped.items():
        if count > before.dropped.get(reason, 0):
            total.dropped[reason] += count - before.dropped.get(reason, 0)
