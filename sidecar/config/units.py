"""Values that have a unit or a form: sizes (`64MiB`), durations (`5s`), addresses, paths."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema

from sidecar.core.errors import InvalidError

# Keys and list indices that lead to a value of a file.
Place: TypeAlias = tuple[str | int, ...]

_BYTES: Final = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "kB": 10**3, "MB": 10**6, "GB": 10**9}
_SECONDS: Final = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_QUANTITY: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")
_ADDRESS: Final = re.compile(r"(\[[0-9a-fA-F:]+\]|[^\s:\[\]]+):([0-9]{1,5})")
_LAST_PORT: Final = 65535
_LARGEST: Final = 2.0**62


def _quantity(value: Any, units: dict[str, float], example: str) -> float:  # noqa: ANN401 - raw YAML
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[2] not in units:
        raise ValueError(f"write a number with a unit ({', '.join(units)}), like {example}")
    quantity = float(match[1]) * units[match[2]]
    if not quantity < _LARGEST:
        raise ValueError("the value is too large; the limit is 2^62")
    return quantity


def _bytes(value: Any) -> int:  # noqa: ANN401 - raw YAML
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(_quantity(value, dict(_BYTES), "64MiB"))


def _seconds(value: Any) -> float:  # noqa: ANN401 - raw YAML
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return _quantity(value, _SECONDS, "5s")


def _address(value: str) -> str:
    match = _ADDRESS.fullmatch(value)
    if match is None or int(match[2]) > _LAST_PORT:
        raise ValueError("write HOST:PORT, like 127.0.0.1:8001")
    return value


def _absolute(value: Path, info: ValidationInfo) -> Path:
    """Resolves a relative path from the folder of the configuration file."""
    folder = (info.context or {}).get("folder")
    return value if folder is None else Path(folder, value)


Size = Annotated[
    int,
    BeforeValidator(_bytes),
    Field(gt=0),
    WithJsonSchema(
        {"type": ["string", "integer"], "description": "bytes, or with a unit: 64MiB", "examples": ["64MiB"]}
    ),
]
Seconds = Annotated[
    float,
    BeforeValidator(_seconds),
    Field(gt=0),
    WithJsonSchema({"type": ["string", "number"], "description": "seconds, or with a unit: 5s, 200ms, 1m"}),
]
Address = Annotated[str, AfterValidator(_address)]
FilePath = Annotated[Path, AfterValidator(_absolute)]


def read_address(value: str, name: str) -> tuple[str, int]:
    """Validates and splits an address from the command line; see `split_address`.

    Args:
        value: the text that was given.
        name: name of the option, for the message.

    Raises:
        InvalidError: the text is not an address.
    """
    try:
        return split_address(_address(value))
    except ValueError as error:
        raise InvalidError(f"{name}: {value!r} is not an address; {error}") from error


def split_address(address: str) -> tuple[str, int]:
    """Splits a valid `HOST:PORT` and removes the brackets around an IPv6 address."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
