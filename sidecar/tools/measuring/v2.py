"""A model behind a V2 server, Triton or any other: closed loops of equal requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from sidecar.core.errors import InvalidError, PilotfishError, UnavailableError
from sidecar.core.tensors import Array, TensorSpec
from sidecar.estimation.performance.space import Value
from sidecar.tools.measuring.energy import Energy, counters
from sidecar.tools.measuring.observation import Effort, Observation, timings

_METADATA_S: Final = 10.0
# A request that takes longer is not going to serve anyone.
_LONGEST_S: Final = 60.0
_HERE: Final = ("127.0.0.1", "localhost", "[::1]")
_LATER: Final = ("UNAVAILABLE", "DEADLINE_EXCEEDED")


@dataclass(frozen=True, slots=True)
class Served:
    """A model as its server describes it.

    Attributes:
        server: name and version.
        inputs: the model's, without the item axis, which is the first.
    """

    server: str
    inputs: tuple[TensorSpec, ...]


def ask(address: str, model: str) -> Served:
    """Asks a server for a model.

    Raises:
        UnavailableError: the server does not answer.
        InvalidError: it has no such model.
    """
    try:
        with triton.InferenceServerClient(address) as client:
            server = client.get_server_metadata(client_timeout=_METADATA_S)
            metadata = client.get_model_metadata(model, client_timeout=_METADATA_S)
    except InferenceServerException as error:
        raise _told(address, error) from error
    inputs = tuple(TensorSpec(one.name, one.datatype, tuple(one.shape[1:])) for one in metadata.inputs)
    return Served(f"{server.name} {server.version}", inputs)


def local(address: str) -> bool:
    """Whether an address is this machine's own, so that its energy counters count the server too."""
    return address.rpartition(":")[0] in _HERE


class V2Runner:
    """Measures a model that a server runs; the server's memory is not known here.

    Args:
        address: HOST:PORT of the server's gRPC port.
        model: its name there.
        inputs: arrays by input name, each [batch_size or more, ...], in the input's own type.
        effort: how much is run for one observation.
    """

    def __init__(self, address: str, model: str, inputs: Mapping[str, Array], effort: Effort) -> None:
        self._address = address
        self._model = model
        self._inputs = inputs
        self._effort = effort

    def observe(self, configuration: Mapping[str, Value]) -> Observation:
        """Sends requests in one configuration.

        Raises:
            InvalidError: the server refuses them.
            UnavailableError: the server does not answer.
        """
        items = int(configuration.get("batch_size", 1))
        try:
            return asyncio.run(self._observe(items, int(configuration.get("concurrency", 1))))
        except InferenceServerException as error:
            raise _told(self._address, error) from error

    async def _observe(self, items: int, concurrency: int) -> Observation:
        request = [_input(name, array[:items]) for name, array in self._inputs.items()]
        async with triton_aio.InferenceServerClient(self._address) as client:

            async def loop(latencies_s: list[float], requests: int, seconds: float) -> None:
                """One of the senders that fill the same list; each has one request under way."""
                began = time.perf_counter()
                while len(latencies_s) < requests or time.perf_counter() - began < seconds:
                    start = time.perf_counter()
                    await client.infer(self._model, request, client_timeout=_LONGEST_S)
                    latencies_s.append(time.perf_counter() - start)

            async def together(requests: int, seconds: float) -> list[float]:
                latencies_s: list[float] = []
                await asyncio.gather(*(loop(latencies_s, requests, seconds) for _ in range(concurrency)))
                return latencies_s

            await together(concurrency, self._effort.warm_up_s)
            energy = Energy(counters() if local(self._address) else ())
            began = time.perf_counter()
            latencies_s = await together(self._effort.requests, self._effort.seconds)
            elapsed_s = time.perf_counter() - began
        metrics = timings(latencies_s, elapsed_s, items)
        if used_j := energy.used_j():
            metrics["energy_j"] = used_j / len(latencies_s)
        # The server is one of the other programs: what it takes is no disturbance.
        return Observation(metrics, others=0.0)


def _input(name: str, items: Array) -> Any:  # noqa: ANN401 - tritonclient has no types
    tensor = triton.InferInput(name, list(items.shape), np_to_triton_dtype(items.dtype))
    tensor.set_data_from_numpy(items)
    return tensor


def _told(address: str, error: Any) -> PilotfishError:  # noqa: ANN401 - tritonclient has no types
    message = f"{address}: {error.message()}"
    if (error.status() or "").removeprefix("StatusCode.") in _LATER:
        return UnavailableError(f"{message}; see that the server runs and is reachable")
    return InvalidError(message)
