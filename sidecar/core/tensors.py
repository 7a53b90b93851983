"""Tensors as the Open Inference Protocol (V2) names them, held as numpy arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Floats: TypeAlias = npt.NDArray[np.float64]

# BF16 has no numpy type: it is widened to float32, which holds every BF16 value exactly.
DATATYPES: Final[dict[str, np.dtype[Any]]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype(np.uint8),
    "UINT16": np.dtype(np.uint16),
    "UINT32": np.dtype(np.uint32),
    "UINT64": np.dtype(np.uint64),
    "INT8": np.dtype(np.int8),
    "INT16": np.dtype(np.int16),
    "INT32": np.dtype(np.int32),
    "INT64": np.dtype(np.int64),
    "FP16": np.dtype(np.float16),
    "BF16": np.dtype(np.float32),
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
    "BYTES": np.dtype(np.object_),
}


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """What a model says of one of its inputs or outputs.

    Attributes:
        name: the tensor's name.
        datatype: a key of `DATATYPES`.
        shape: sizes behind the item axis; -1 where any size goes.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """The items of one request, or of several put together; row i of every array is item i.

    Attributes:
        inputs: arrays by tensor name, each [items, ...]. BYTES arrays hold `bytes` objects.
        outputs: the incumbent's own answer, the same way; empty where it was not seen.
    """

    inputs: dict[str, Array]
    outputs: dict[str, Array]

    @property
    def items(self) -> int:
        """How many items the batch holds."""
        return len(next(iter(self.inputs.values())))
