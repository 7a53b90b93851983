"""How configurations are written on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Floats
from sidecar.estimation.performance.options import written
from sidecar.estimation.performance.space import Space, Value


def in_words(configuration: Mapping[str, Value]) -> str:
    """A configuration as `pairs` reads it."""
    return " ".join(f"{name}={written(value)}" for name, value in configuration.items())


def in_short(space: Space, codes: Floats) -> str:
    """Where a configuration differs from the defaults."""
    changed = {
        name: value for name, value in space.configuration(codes).items() if value != space.defaults[name]
    }
    return in_words(changed) or "all at their defaults"


def pairs(words: Sequence[str], option: str) -> dict[str, Any]:
    """Reads NAME=VALUE words; values as YAML has them.

    Args:
        words: what was given.
        option: of the command line, for the message.

    Raises:
        InvalidError: a word is none.
    """
    read = {}
    for word in words:
        name, equals, value = word.partition("=")
        try:
            read[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            equals = ""
        if not equals or not isinstance(read[name.strip()], str | bool | int | float):
            raise InvalidError(f"{option} {word}: write NAME=VALUE, like batch_size=8")
    return read
