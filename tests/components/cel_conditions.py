"""Evaluates match conditions as the API server does; the interpreter that has cel-expr-python runs this.

In, as JSON: {"expressions": ["has(object.metadata)"], "objects": [...]}.
Out: for each object whether all expressions are true of it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from cel_expr_python import cel


def matches(expressions: Sequence[str], objects: Sequence[Mapping[str, Any]]) -> list[bool]:
    """Which objects the webhook is asked about."""
    environment = cel.NewEnv(variables={"object": cel.Type.DYN})
    compiled = [environment.compile(expression) for expression in expressions]
    return [all(one.eval(data={"object": given}).value() for one in compiled) for given in objects]


if __name__ == "__main__":
    json.dump(matches(**json.load(sys.stdin)), sys.stdout)
