"""The options that can be measured, written out; space files name them by these names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from sidecar.core.close_names import close_names
from sidecar.core.errors import InvalidError
from sidecar.core.providers import PROVIDERS
from sidecar.estimation.performance.space import Option, OptionKind, Value


@dataclass(frozen=True, slots=True)
class Measurable:
    """An option of a way to run a model.

    Attributes:
        kind: how its values relate.
        default: what holds where a space file says nothing.
        allowed: the values that there are, in order; empty: any whole number from 1 on.
    """

    kind: OptionKind
    default: Value
    allowed: tuple[Value, ...] = ()

    def check(self, value: Any) -> Value:  # noqa: ANN401 - raw YAML
        """Refuses what is no value of the option; 1 is not `true`.

        Raises:
            InvalidError: it is none.
        """
        if not self.allowed and type(value) is int and value >= 1:
            return value
        if any(type(value) is type(one) and value == one for one in self.allowed):
            known: Value = value
            return known
        listed = ", ".join(written(one) for one in self.allowed) or "a whole number from 1 on"
        raise InvalidError(f"{written(value)} is no value here; write {listed}")

    def option(self, name: str, values: Sequence[Any], default: Any) -> Option:  # noqa: ANN401 - raw YAML
        """The option with the values to measure, in their natural order.

        Args:
            name: name of the option.
            values: from the space file.
            default: from there; None: `Measurable.default` where that is measured, otherwise the first.

        Raises:
            InvalidError: a value is none of this option's, comes twice, or the default is not measured.
        """
        checked = [self.check(value) for value in values]
        if default is None:
            default = self.default if self.default in checked else checked[0]
        ordered = [one for one in self.allowed if one in checked] if self.allowed else sorted(checked)
        if len(ordered) < len(checked):
            raise InvalidError("the same value comes twice; list each once")
        return Option(name, self.kind, tuple(ordered), self.check(default))


_SWITCH: Final = (False, True)
_CATEGORICAL, _ORDINAL, _LOG = OptionKind.CATEGORICAL, OptionKind.ORDINAL, OptionKind.LOG

# The defaults are onnxruntime's own, but for threads, which it would take from the machine: a table
# must say what it measured.
ONNX: Final[Mapping[str, Measurable]] = MappingProxyType(
    {
        "intra_op_threads": Measurable(_LOG, 1),
        "inter_op_threads": Measurable(_LOG, 1),
        "graph_optimization": Measurable(_ORDINAL, "all", ("disable", "basic", "extended", "all")),
        "execution_mode": Measurable(_CATEGORICAL, "sequential", ("sequential", "parallel")),
        "memory_arena": Measurable(_CATEGORICAL, default=True, allowed=_SWITCH),
        "memory_pattern": Measurable(_CATEGORICAL, default=True, allowed=_SWITCH),
        "spinning": Measurable(_CATEGORICAL, default=True, allowed=_SWITCH),
        "batch_size": Measurable(_LOG, 1),
        "provider": Measurable(_CATEGORICAL, "cpu", tuple(PROVIDERS)),
    }
)
V2: Final[Mapping[str, Measurable]] = MappingProxyType(
    {"batch_size": Measurable(_LOG, 1), "concurrency": Measurable(_LOG, 1)}
)


def shadow_configuration(*, threads: int, batch_size: int, provider: str) -> dict[str, Value]:
    """How the scoring process runs a candidate, as a configuration; see `sidecar.inference.onnx`.

    Args:
        threads: intra-op.
        batch_size: items given to the model at once.
        provider: what it runs on.
    """
    return {
        **{name: option.default for name, option in ONNX.items()},
        "intra_op_threads": threads,
        "memory_arena": False,
        "spinning": False,
        "batch_size": batch_size,
        "provider": provider,
    }


def find_option(known: Mapping[str, Measurable], name: str) -> Measurable:
    """The option of that name.

    Raises:
        InvalidError: there is none.
    """
    if name in known:
        return known[name]
    near = close_names(name, known) or list(known)
    raise InvalidError(f"there is no option {name!r} to measure; there is {', '.join(near)}")


def written(value: object) -> str:
    """As YAML has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
