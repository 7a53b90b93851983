"""Casts arrays to the datatype that a model takes, if no value changes its meaning."""

from __future__ import annotations

from typing import Final

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import DATATYPES, Array, TensorSpec

# By the kind of the wanted dtype: the kinds whose values it can represent.
_FITTING_KINDS: Final = {"b": "b", "i": "biu", "u": "biu", "f": "biuf", "O": "OUS"}


def cast(array: Array, spec: TensorSpec) -> Array:
    """Casts an array to the datatype of a model's input.

    Numbers become floats of any width, integers and booleans become integers that hold every value;
    text stays text. BF16 stays float32, see `DATATYPES`.

    Args:
        array: the values, in any shape and byte order.
        spec: the input to cast for.

    Returns:
        the values in the same shape, dtype `DATATYPES[spec.datatype]` in native byte order.

    Raises:
        InvalidError: the array has a kind that cannot be cast, or a value does not fit.
    """
    wanted = DATATYPES[spec.datatype]
    if array.dtype == wanted:
        return array
    if array.dtype.kind not in _FITTING_KINDS[wanted.kind]:
        raise InvalidError(
            f"input {spec.name!r} takes {spec.datatype}; {array.dtype} cannot become that: convert it first"
        )
    if wanted.kind in "iu" and array.size:
        limits = np.iinfo(wanted)
        least, greatest = int(array.min()), int(array.max())
        if least < limits.min or greatest > limits.max:
            raise InvalidError(
                f"input {spec.name!r} takes {spec.datatype}; the values reach from {least} to {greatest}: "
                "scale them"
            )
    try:
        with np.errstate(over="raise"):
            return array.astype(wanted)
    except FloatingPointError as error:
        raise InvalidError(
            f"input {spec.name!r} takes {spec.datatype}; a value is too large for it: scale the values"
        ) from error
