"""Answers with the softmax of a linear function; knows nothing of the configuration."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sidecar.core.tensors import Array, TensorSpec


class LinearModel:
    """Weights [features, classes] and a bias [classes]."""

    def __init__(self, weights: Array, bias: Array, inputs: tuple[TensorSpec, ...], output: str) -> None:
        self.weights = weights
        self.inputs = inputs
        self._bias = bias
        self._output = output

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        logits = inputs["X"] @ self.weights + self._bias
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return {self._output: powers / powers.sum(axis=1, keepdims=True)}

    def close(self) -> None:
        """Holds nothing."""
