"""A V2 model server that answers at once with fixed outputs, as a process of its own.

`python -m benchmarks.upstream --port 0` prints `listening on HOST:PORT` when it serves.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from typing import Any, TypeAlias

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc

V2Message: TypeAlias = Any  # tritonclient's messages have no types


class FixedAnswers(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc] # it has no types
    """Gives every request of every model the same probabilities, one row for each item.

    Args:
        classes: columns of the output.
        delay_s: pause before each answer.
    """

    def __init__(self, classes: int, delay_s: float) -> None:
        row = np.arange(1, classes + 1, dtype=np.float32)
        self._row = (row / row.sum()).tobytes()
        self._classes = classes
        self._delay_s = delay_s

    async def ServerLive(self, _request: V2Message, _context: V2Message) -> V2Message:  # noqa: N802 - the protocol's name
        """Answers yes."""
        return service_pb2.ServerLiveResponse(live=True)

    async def ServerReady(self, _request: V2Message, _context: V2Message) -> V2Message:  # noqa: N802 - the protocol's name
        """Answers yes."""
        return service_pb2.ServerReadyResponse(ready=True)

    async def ModelReady(self, _request: V2Message, _context: V2Message) -> V2Message:  # noqa: N802 - the protocol's name
        """Answers yes."""
        return service_pb2.ModelReadyResponse(ready=True)

    async def ModelInfer(self, request: V2Message, _context: V2Message) -> V2Message:  # noqa: N802 - the protocol's name
        """Answers with the fixed row."""
        if self._delay_s:
            await asyncio.sleep(self._delay_s)
        items = request.inputs[0].shape[0]
        output = service_pb2.ModelInferResponse.InferOutputTensor(
            name="probabilities", datatype="FP32", shape=(items, self._classes)
        )
        return service_pb2.ModelInferResponse(
            model_name=request.model_name,
            model_version="1",
            id=request.id,
            outputs=[output],
            raw_output_contents=[self._row * items],
        )


async def serve(host: str, port: int, classes: int, delay_s: float) -> None:
    """Serves until SIGINT or SIGTERM."""
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    server = grpc.aio.server(
        options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    )
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(FixedAnswers(classes, delay_s), server)
    bound = server.add_insecure_port(f"{host}:{port}")
    await server.start()
    print(f"listening on {host}:{bound}", flush=True)
    await ended.wait()
    await server.stop(None)


def main() -> None:
    """Reads the options and serves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one, which is printed")
    parser.add_argument("--classes", type=int, default=10, help="columns of the output `probabilities`")
    parser.add_argument("--delay-s", type=float, default=0.0, help="pause before each answer")
    options = parser.parse_args()
    asyncio.run(serve(options.host, options.port, options.classes, options.delay_s))


if __name__ == "__main__":
    main()
