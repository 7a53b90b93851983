"""Holds tensors as numpy arrays, with the names and datatypes of the Open Inference Protocol (V2)."""

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
    """An input or output as its model declares it.

    Attributes:
        name: the tensor's name.
        datatype: a key of `DATATYPES`.
        shape: sizes of the axes after the item axis; -1 allows any size.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """The items of one request, or of several requests joined; row i of every array is item i.

    Attributes:
        inputs: arrays by tensor name, each [items, ...]. BYTES arrays hold `bytes` objects.
        outputs: the incumbent's own answer, in the same form; empty if the capture did not see it.
    """

    inputs: dict[str, Array]
    outputs: dict[str, Array]

    @property
    def items(self) -> int:
        """Number of items in the batch."""
        return len(next(iter(self.inputs.values())))
