from __future__ import annotations

from typing import Any

import pytest

from sidecar.core.errors import InvalidError
from sidecar.estimation.performance.options import ONNX, V2, find_option


def test_values_come_in_their_natural_order() -> None:
    assert ONNX["graph_optimization"].option("g", ["all", "disable"], None).values == ("disable", "all")
    assert ONNX["batch_size"].option("b", [8, 1, 2], None).values == (1, 2, 8)


def test_the_default_is_onnxruntimes_where_that_is_measured_otherwise_the_first() -> None:
    option = ONNX["graph_optimization"]
    assert option.option("g", ["basic", "all"], None).default == "all"
    assert option.option("g", ["extended", "basic"], None).default == "extended"
    assert option.option("g", ["extended", "basic"], "basic").default == "basic"


@pytest.mark.parametrize(
    ("name", "values", "default"),
    [
        ("memory_arena", [1], None),
        ("batch_size", [True], None),
        ("batch_size", [0], None),
        ("batch_size", ["4"], None),
        ("graph_optimization", ["most"], None),
        ("batch_size", [2, 2], None),
        ("spinning", [True, True], None),
        ("batch_size", [2, 4], 8),
        ("provider", [], "gpu"),
    ],
)
def test_what_is_no_value_is_refused(name: str, values: list[Any], default: Any) -> None:  # noqa: ANN401 - raw YAML
    with pytest.raises(InvalidError):
        ONNX[name].option(name, values or ["cpu"], default)


def test_an_unknown_option_names_the_nearest() -> None:
    with pytest.raises(InvalidError, match="there is intra_op_threads"):
        find_option(ONNX, "intra_threads")
    with pytest.raises(InvalidError, match="batch_size, concurrency"):
        find_option(V2, "zzz")
