"""The embedded server as an unmodified V2 client sees it, through the proxy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array, TensorSpec
from sidecar.serving.incumbent.server import EmbeddedServer
from sidecar.wire.v2.codec import decode_observation
from tests.support.running_proxy import RunningProxy


class Doubler:
    """Doubles numbers and greets texts; refuses 13."""

    inputs = (TensorSpec("x", "FP32", (2,)), TensorSpec("text", "BYTES", (-1,)))
    outputs = (TensorSpec("double", "FP32", (2,)), TensorSpec("greeting", "BYTES", (-1,)))

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        if (inputs["x"] == 13).any():
            raise InvalidError("13 is not for me; send another number")
        greet = np.vectorize(lambda text: "hello " + text.decode(), otypes=[np.object_])
        return {"double": inputs["x"] * 2, "greeting": greet(inputs["text"])}


def tensor(name: str, array: Array, datatype: str) -> triton.InferInput:
    made = triton.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array)
    return made


X = tensor("x", np.array([[1, 2], [3, 4]], dtype=np.float32), "FP32")
TEXT = tensor("text", np.array([["Ann"], ["Bo"]], dtype=np.object_), "BYTES")


def with_client(talk: Callable[[triton.InferenceServerClient, RunningProxy], None]) -> None:
    """Serves a Doubler behind a proxy while `talk` runs; a second close must do nothing."""

    async def serve() -> None:
        server = EmbeddedServer({"doubler": Doubler()}, max_message_bytes=1 << 20)
        await server.close(0.0)
        await server.start()
        try:
            await asyncio.to_thread(run, server.address)
        finally:
            await server.close(0.0)
            await server.close(0.0)

    def run(address: str) -> None:
        with (
            RunningProxy(address, ("doubler",)) as proxy,
            triton.InferenceServerClient(proxy.address) as client,
        ):
            talk(client, proxy)

    asyncio.run(serve())


def test_answers_and_is_captured() -> None:
    def talk(client: triton.InferenceServerClient, proxy: RunningProxy) -> None:
        result = client.infer("doubler", [TEXT, X], request_id="seven")
        assert result.as_numpy("double").tolist() == [[2, 4], [6, 8]]
        assert result.as_numpy("greeting").tolist() == [[b"hello Ann"], [b"hello Bo"]]
        assert (result.get_response().id, result.get_response().model_version) == ("seven", "1")
        only = client.infer("doubler", [X, TEXT], outputs=[triton.InferRequestedOutput("greeting")])
        assert [output.name for output in only.get_response().outputs] == ["greeting"]
        assert proxy.counts("doubler").sampled == 2
        batch = decode_observation(proxy.collector.observations[0])
        assert batch.outputs["double"].tolist() == [[2, 4], [6, 8]]

    with_client(talk)


def test_says_what_it_is() -> None:
    def talk(client: triton.InferenceServerClient, _: RunningProxy) -> None:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.get_server_metadata().name == "pilotfish"
        assert client.is_model_ready("doubler")
        assert not client.is_model_ready("nobody")
        described: Any = client.get_model_metadata("doubler")
        assert [(one.name, one.datatype, list(one.shape)) for one in described.inputs] == [
            ("x", "FP32", [-1, 2]),
            ("text", "BYTES", [-1, -1]),
        ]
        with pytest.raises(InferenceServerException, match="NOT_FOUND"):
            client.get_model_metadata("nobody")

    with_client(talk)


@pytest.mark.parametrize(
    ("model", "options", "inputs", "status", "says"),
    [
        ("nobody", {}, [X, TEXT], "NOT_FOUND", "the models are doubler"),
        ("doubler", {"model_version": "2"}, [X, TEXT], "NOT_FOUND", "has only version 1"),
        ("doubler", {}, [X], "INVALID_ARGUMENT", r"the model takes x FP32 \[items, 2\]"),
        ("doubler", {}, [X, X, TEXT], "INVALID_ARGUMENT", "has inputs"),
        (
            "doubler",
            {},
            [tensor("x", np.zeros((2, 3), dtype=np.float32), "FP32"), TEXT],
            "INVALID_ARGUMENT",
            r"FP32 \[2, 3\]",
        ),
        ("doubler", {}, [tensor("x", np.zeros((2, 2)), "FP64"), TEXT], "INVALID_ARGUMENT", "FP64"),
        (
            "doubler",
            {},
            [tensor("x", np.full((2, 2), 13, dtype=np.float32), "FP32"), TEXT],
            "INVALID_ARGUMENT",
            "13 is not for me",
        ),
        (
            "doubler",
            {"outputs": [triton.InferRequestedOutput("triple")]},
            [X, TEXT],
            "INVALID_ARGUMENT",
            "no output triple; it has double, greeting",
        ),
        (
            "doubler",
            {},
            [X, tensor("text", np.array([["x" * (2 << 20)]], dtype=np.object_), "BYTES")],
            "RESOURCE_EXHAUSTED",
            "larger than max",
        ),
    ],
)
def test_refuses_clearly(
    model: str, options: dict[str, Any], inputs: list[Any], status: str, says: str
) -> None:
    def talk(client: triton.InferenceServerClient, _: RunningProxy) -> None:
        with pytest.raises(InferenceServerException, match=says) as caught:
            client.infer(model, inputs, **options)
        assert caught.value.status() == f"StatusCode.{status}"

    with_client(talk)
