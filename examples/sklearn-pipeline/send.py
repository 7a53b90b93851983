"""Sends traffic.npz to the proxy, one request an image, as a client of a model server would."""

from __future__ import annotations

import sys

import grpc
import numpy as np
import tritonclient.grpc as triton


def main(address: str) -> None:
    """Sends every image to the proxy at HOST:PORT."""
    images = np.load("traffic.npz")["X"]
    with grpc.insecure_channel(address) as channel:
        grpc.channel_ready_future(channel).result(timeout=30)
    with triton.InferenceServerClient(address) as client:
        for image in images:
            tensor = triton.InferInput("X", [1, len(image)], "FP32")
            tensor.set_data_from_numpy(image[None])
            client.infer("digits", [tensor])
    print(f"sent {len(images)} requests")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "localhost:9001")
