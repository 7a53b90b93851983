"""What every runner does around its model: fits inputs, cuts items to its size, checks the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from sidecar.core.casting import cast
from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array, TensorSpec

_Arrays = dict[str, Array]


def fitted(inputs: Mapping[str, Array], specs: Sequence[TensorSpec], where: str) -> _Arrays:
    """Gives inputs the datatypes that a model takes; inputs that it does not know are left out.

    Args:
        inputs: arrays by input name, each [items, ...].
        specs: the model's inputs.
        where: the model, for messages.

    Raises:
        InvalidError: an input is missing or does not fit, or they do not hold the same items.
    """
    feed = {spec.name: _fit(inputs, spec, where) for spec in specs}
    lengths = {name: len(array) for name, array in feed.items()}
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        raise InvalidError(f"{where}: the inputs must hold the same items, at least one; got {lengths}")
    return feed


def answered(
    feed: _Arrays, answer: Callable[[_Arrays], _Arrays], *, most: int | None, fixed: bool, where: str
) -> _Arrays:
    """Lets a model answer items, in several parts where it takes fewer.

    Args:
        feed: arrays by input name, each [items, ...], as `fitted` gives them.
        answer: the model; gives arrays by output name.
        most: items that it takes at once; None: any number.
        fixed: it takes exactly `most`; the last item is then repeated.
        where: the model, for messages.

    Returns:
        Arrays by output name, each [items, ...].

    Raises:
        InvalidError: an output has not a row for each item.
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
    """A tensor as messages show it: `FP32 [items, 64]`."""
    return f"{spec.datatype} [items{''.join(f', {size}' for size in spec.shape)}]"


def sizes_fit(sizes: Sequence[int], wanted: Sequence[int]) -> bool:
    """Whether sizes behind the item axis are those wanted; -1 stands for any."""
    return len(sizes) == len(wanted) and all(
        one in {-1, other} or other == -1 for one, other in zip(wanted, sizes, strict=True)
    )


def _fit(inputs: Mapping[str, Array], spec: TensorSpec, where: str) -> Array:
    if spec.name not in inputs:
        raise InvalidError(
            f"{where}: input {spec.name!r} ({spec_text(spec)}) is missing; given are {sorted(inputs)}"
        )
    array = inputs[spec.name]
    if not sizes_fit(array.shape[1:], spec.shape):
        raise InvalidError(
            f"{where}: input {spec.name!r} takes {spec_text(spec)}; "
            f"given is {array.dtype} {list(array.shape)}"
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
