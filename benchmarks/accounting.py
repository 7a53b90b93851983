"""Every capture at 2,000 requests a second: is each request accounted for, exactly once?

Run it with `python -m benchmarks.accounting`; it exits 1 when one is not, a call fails, or the rate is not
reached. One sidecar has all captures, which are fed one after the other. Half of the requests are sampled,
and two candidates answer them as far as the default budget goes: what scoring does not take is dropped, and
counted.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pilotfish.internal.v1.ext_proc_pb2 import (
    HeaderMap,
    HeaderValue,
    HttpBody,
    HttpHeaders,
    HttpTrailers,
    ProcessingRequest,
)

from benchmarks import digit_models, rest_upstream
from benchmarks.pipelined import Http1Calls, Http2Calls, Sender, connected, grpc_message, paced
from benchmarks.processes import Sidecar, free_address, listening, serving
from benchmarks.proxy import verdict
from sidecar.serving.capture.cloudevents.cloud_events import REQUEST, RESPONSE
from sidecar.serving.capture.ext_proc.ext_proc import PROCESS
from sidecar.tools.demo import digits

WAYS = ("proxy", "rest", "mirror", "observer", "cloudevents")
DOMAINS = ("upright", "rotated")
FRACTION = 0.5
CONNECTIONS = 4
AT_ONCE = 512
# What a client's timer and a machine that is shared lose.
RATE_BAR = 0.98
LATE_S = 10.0
_BODIES = 200


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent to one capture.

    Attributes:
        way: the capture's key in the configuration.
        address: where it is sent.
        make: opens nothing; makes what sends.
        messages: that are sent for one request: an event is half of one.
    """

    way: str
    address: str
    make: Callable[[], Sender]
    messages: int = 1


async def measure(load: Load, sidecar: Sidecar, per_second: float, seconds: float) -> bool:
    """Sends everything to one capture, prints; whether all bars hold."""
    senders = await connected(load.address, load.make, CONNECTIONS)
    start = time.monotonic()
    sent = await paced(
        senders, per_second=per_second * load.messages, seconds=seconds, at_once=AT_ONCE * load.messages
    )
    rate = sent / load.messages / (time.monotonic() - start)
    failed = sum(one.failed for one in senders)
    for one in senders:
        one.close()
    requests = sent // load.messages
    ends = time.monotonic() + LATE_S
    while sidecar.counters(load.way)["requests_seen"] < requests and time.monotonic() < ends:  # noqa: ASYNC110 - another process counts
        await asyncio.sleep(0.1)
    exact = sidecar.accounting(load.way, requests)
    reached = rate >= per_second * RATE_BAR
    print(f"{'':<{len(load.way)}}  {rate:,.0f} requests a second: {verdict(reached)}; {failed} failed")
    return exact and reached and not failed


def loads(sidecar: Sidecar, addresses: dict[str, str]) -> list[Load]:
    """What is sent to each capture; requests are of the digits that no model was trained on."""
    infer = digit_models.MODEL_INFER

    def http2(path: str, bodies: Sequence[bytes]) -> Callable[[], Sender]:
        return lambda: Http2Calls(path, itertools.cycle(bodies))

    def calls(way: str) -> list[bytes]:
        return [grpc_message(one) for one in itertools.islice(digit_models.infer_requests(way, 1), _BODIES)]

    observed = [_told_by_envoy(infer, one) for one in calls("observer")]
    rest = [_post("/v2/models/rest/infer", {}, body) for body in _json_bodies()]
    events = _events(_json_bodies())
    return [
        Load("proxy", addresses["proxy"], http2(infer, calls("proxy"))),
        Load("rest", addresses["rest"], lambda: Http1Calls(itertools.cycle(rest))),
        Load("mirror", addresses["mirror"], http2(infer, calls("mirror"))),
        Load("observer", addresses["observer"], http2(PROCESS.decode(), observed)),
        # Pairs may part ways: two events of one call on two connections are joined all the same.
        Load("cloudevents", sidecar.http, lambda: Http1Calls(events), messages=2),
    ]


def _told_by_envoy(path: str, message: bytes) -> bytes:
    """What the filter tells of one call, all its messages."""
    answer = grpc_message(b"")
    told = [
        ProcessingRequest(request_headers=_headers({b":method": b"POST", b":path": path.encode()})),
        ProcessingRequest(request_body=HttpBody(body=message, end_of_stream=True)),
        ProcessingRequest(response_headers=_headers({b":status": b"200"})),
        ProcessingRequest(response_body=HttpBody(body=answer)),
        ProcessingRequest(response_trailers=HttpTrailers(trailers=_headers({b"grpc-status": b"0"}).headers)),
    ]
    for one in told:
        one.observability_mode = True
    return b"".join(grpc_message(one.SerializeToString()) for one in told)


def _headers(fields: dict[bytes, bytes]) -> HttpHeaders:
    values = [HeaderValue(key=name, raw_value=value) for name, value in fields.items()]
    return HttpHeaders(headers=HeaderMap(headers=values))


def _json_bodies() -> list[bytes]:
    tensor = {"name": digits.INPUT, "datatype": "FP32", "shape": [1, 64]}
    return [
        json.dumps({"inputs": [{**tensor, "data": image.tolist()}]}).encode()
        for image in digit_models.images()[:_BODIES]
    ]


def _events(bodies: Sequence[bytes]) -> Iterator[bytes]:
    """The two events of each call, one after the other, without end."""
    for number, body in enumerate(itertools.cycle(bodies)):
        fields = {"ce-specversion": "1.0", "ce-id": str(number), "ce-inferenceservicename": "cloudevents"}
        for kind, content in ((REQUEST, body), (RESPONSE, rest_upstream.BODY)):
            yield _post("/events", {**fields, "ce-type": kind}, content)


def _post(path: str, fields: dict[str, str], body: bytes) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    head = f"POST {path} HTTP/1.1\r\nhost: benchmark\r\n{lines}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def endpoints(
    candidates: list[dict[str, Any]], addresses: dict[str, str], upstreams: dict[str, str]
) -> list[dict[str, Any]]:
    """An endpoint for each capture, of its name."""
    return [
        {
            "name": way,
            "capture": [
                {
                    way: {
                        **({"listen": addresses[way]} if way in addresses else {}),
                        **({"upstream": upstreams[way]} if way in upstreams else {}),
                    }
                }
            ],
            "sample": {"fraction": FRACTION, "max_per_second": 1_000_000},
            "incumbent": candidates[0]["name"],
            "candidates": candidates,
        }
        for way in WAYS
    ]


def main(given: Sequence[str] | None = None) -> int:
    """Starts everything, sends, returns the exit code."""
    parser = argparse.ArgumentParser(description="Whether every request is accounted for in every capture.")
    parser.add_argument("--rate", type=float, default=2000, help="requests a second")
    parser.add_argument("--seconds", type=float, default=60, help="of each capture")
    parser.add_argument("--only", choices=WAYS, action="append", help="this capture; may be given again")
    options = parser.parse_args(given)
    with (
        tempfile.TemporaryDirectory() as name,
        listening("benchmarks.upstream") as grpc,
        listening("benchmarks.rest_upstream") as http,
    ):
        folder = Path(name)
        candidates = digit_models.train(DOMAINS, folder)
        addresses = {way: free_address() for way in WAYS if way != "cloudevents"}
        upstreams = {"proxy": grpc.address, "rest": http.address}
        with serving(folder, endpoints(candidates, addresses, upstreams)) as sidecar:
            held = [
                asyncio.run(measure(load, sidecar, options.rate, options.seconds))
                for load in loads(sidecar, addresses)
                if not options.only or load.way in options.only
            ]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
