"""An ONNX model in one configuration after the other, each in a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import onnxruntime

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array
from sidecar.estimation.performance.options import ONNX
from sidecar.estimation.performance.space import Value
from sidecar.tools.measuring.observation import Effort, Observation

# A configuration that takes longer for one observation is not going to serve anyone.
_LONGEST_S: Final = 600.0
SERVER: Final = f"onnxruntime {onnxruntime.__version__}"


class OnnxRunner:
    """Measures a model file through onnxruntime.

    A process of its own makes peak memory the configuration's, lets nothing of one configuration warm the
    next, and makes where the loader puts things part of what differs between rounds.
    """

    def __init__(self, path: Path, inputs: Mapping[str, Array], effort: Effort) -> None:
        """Takes what all configurations share.

        Args:
            path: the model.
            inputs: arrays by input name, each [batch_size or more, ...], in the input's own type.
            effort: how much is run for one observation.
        """
        self._path = path
        self._inputs = dict(inputs)
        self._effort = effort

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="pilotfish-")
        self._file = Path(self._folder.name, "inputs.npz")
        # Text as fixed-width characters: object arrays would need pickle.
        texts = {name: array.astype(str) for name, array in self._inputs.items() if array.dtype == object}
        np.savez(self._file, allow_pickle=False, **(self._inputs | texts))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def observe(self, configuration: Mapping[str, Value]) -> Observation:
        """Runs the model in one configuration.

        Raises:
            InvalidError: it does not run in this configuration.
        """
        job = {
            "model": str(self._path),
            "inputs": str(self._file),
            "configuration": {name: option.default for name, option in ONNX.items()} | dict(configuration),
            "effort": asdict(self._effort),
        }
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-m", "sidecar.tools.measuring.once"],
                input=json.dumps(job),
                capture_output=True,
                text=True,
                check=False,
                timeout=_LONGEST_S,
                # Threads are an option of the configuration, not of the libraries around the model.
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        except subprocess.TimeoutExpired as error:
            raise InvalidError(
                f"{self._path}: no observation after {_LONGEST_S:g} s: lower --requests or leave it out"
            ) from error
        if done.returncode:
            said = done.stderr.strip().rpartition("\n")[2]
            raise InvalidError(f"{self._path}: {said or f'ended by signal {-done.returncode}'}")
        answer: dict[str, Any] = json.loads(done.stdout)
        return Observation(**answer)
