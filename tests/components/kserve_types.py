"""Finds fields of KServe's objects that it does not know, by the types of its own Python client.

`PYTHON kserve_types.py`, with objects as JSON, one a line, on standard input, prints what is wrong.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

# The client writes types as `list[V1Container]` or `List[V1Container]`.
_LIST = re.compile(r"[Ll]ist\[(.+)\]")


def faults(python: Path, objects: Iterable[dict[str, Any]]) -> list[str]:
    """Fields that KServe, or Kubernetes within its objects, does not know.

    Args:
        python: of an environment with `kserve`.
        objects: of KServe.
    """
    lines = "\n".join(json.dumps(one) for one in objects)
    result = subprocess.run(  # noqa: S603 - the program that is tested with
        [python, __file__], input=lines, capture_output=True, text=True, check=True
    )
    return result.stdout.splitlines()


def _main() -> None:
    from kserve import models as own  # noqa: PLC0415 - in that environment alone
    from kubernetes.client import models as kubernetes  # noqa: PLC0415 - the same

    def unknown(value: object, kind: str, place: str) -> Iterator[str]:
        listed = _LIST.fullmatch(kind)
        model = getattr(own, kind, None) or getattr(kubernetes, kind, None)
        if listed and isinstance(value, list):
            for number, one in enumerate(value):
                yield from unknown(one, listed[1], f"{place}[{number}]")
        elif model is not None and isinstance(value, dict):
            fields = {name: attribute for attribute, name in model.attribute_map.items()}
            for key, one in value.items():
                if key in fields:
                    yield from unknown(one, model.openapi_types[fields[key]], f"{place}.{key}")
                else:
                    yield f"{place}.{key}: {kind} has no such field"

    for line in sys.stdin:
        one = json.loads(line)
        version = one["apiVersion"].rpartition("/")[2].capitalize()
        for fault in unknown(one, f"{version}{one['kind']}", one["kind"]):
            print(fault)  # noqa: T201 - the output


if __name__ == "__main__":
    _main()
