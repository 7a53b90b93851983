"""Does what every runner needs around its model: casts inputs, splits batches, checks the outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from sidecar.core.casting import cast
from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array, TensorSpec

_Arrays = dict[str, Array]


def fitted(inputs: Mapping[str, Array], specs: Sequence[TensorSpec], where: str) -> _Arrays:
    """Casts inputs to the datatypes that a model takes; leaves out inputs that the model does not have.

    Args:
        inputs: arrays by input name, each [items, ...].
        specs: the model's inputs.
        where: names the model in error messages.

    Raises:
        InvalidError: an input is missing or does not fit, or the inputs have different numbers of items.
    """
    feed = {spec.name: _fit(inputs, spec, where) for spec in specs}
    lengths = {name: len(array) for name, array in feed.items()}
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        raise InvalidError(
            f"{where}: the inputs have {lengths} items: send the same items in every input, at least one item"
        )
    return feed


def answered(
    feed: _Arrays, answer: Callable[[_Arrays], _Arrays], *, most: int | None, fixed: bool, where: str
) -> _Arrays:
    """Runs a model on items, in several batches if the model takes fewer items at once.

    Args:
        feed: arrays by input name, each [items, ...], as `fitted` returns them.
        answer: runs the model; returns arrays by output name.
        most: greatest number of items that the model takes at once; None sets no limit.
        fixed: whether the model takes exactly `most` items; a smaller batch is filled up with its last item.
        where: names the model in error messages.

    Returns:
        arrays by output name, each [items, ...].

    Raises:
        InvalidError: an output does not have a row for each item.
    """
    items = len(next(iter(feed.values())))
    size = most or items
    parts = []
    for start in range(0, items, size):
        part = {name: array[start : start + size] for name, array in feed.items()}
        given = min(items - start, size)
        if fixed and given < size:
            part = {name: _padded(array, size) for name, array in part.items()}
        outputs = answer(part)
        _check(outputs, size if fixed else given, where)
        parts.append({name: array[:given] for name, array in outputs.items()})
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def spec_text(spec: TensorSpec) -> str:
    """Returns a tensor as messages show it: `FP32 [items, 64]`."""
    return f"{spec.datatype} [items{''.join(f', {size}' for size in spec.shape)}]"


def sizes_fit(sizes: Sequence[int], wanted: Sequence[int]) -> bool:
    """Tells whether the sizes after the item axis are the wanted sizes; -1 stands for any size."""
    return len(sizes) == len(wanted) and all(
        size in {-1, found} or found == -1 for size, found in zip(wanted, sizes, strict=True)
    )


def _fit(inputs: Mapping[str, Array], spec: TensorSpec, where: str) -> Array:
    if spec.name not in inputs:
        raise InvalidError(
            f"{where}: input {spec.name!r} ({spec_text(spec)}) is missing; the request has {sorted(inputs)}: "
            "send the input, or build the profile with the names that are sent"
        )
    array = inputs[spec.name]
    if not sizes_fit(array.shape[1:], spec.shape):
        raise InvalidError(
            f"{where}: input {spec.name!r} takes {spec_text(spec)}; "
            f"the request has {array.dtype} {list(array.shape)}: send the shape that the model takes"
        )
    try:
        return cast(array, spec)
    except InvalidError as error:
        raise InvalidError(f"{where}: {error}") from error


def _padded(array: Array, size: int) -> Array:
    return np.concatenate([array, np.repeat(array[-1:], size - len(array), axis=0)])


def _check(outputs: _Arrays, items: int, where: str) -> None:
    for name, array in outputs.items():
        if array.shape[:1] != (items,):
            raise InvalidError(
                f"{where}: output {name!r} has shape {list(array.shape)} for {items} items: "
                "export the model with the items on the first axis of every output"
            )
