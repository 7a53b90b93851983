"""Validates objects against Kubernetes' own schemas, by a program in an environment of its own.

`PYTHON kubernetes_schemas.py`, with objects as JSON, one a line, on standard input, prints what is wrong.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

VERSIONS = ("1.29", "1.30", "1.31", "1.32", "1.33", "1.34")


def faults(python: Path, objects: Iterable[dict[str, Any]]) -> list[str]:
    """What the strict schemas of all versions refuse.

    Args:
        python: of an environment with `kubernetes-validate`.
        objects: of Kubernetes.
    """
    lines = "\n".join(json.dumps(one) for one in objects)
    result = subprocess.run(  # noqa: S603 - the program that is tested with
        [python, __file__], input=lines, capture_output=True, text=True, check=True
    )
    return result.stdout.splitlines()


def _main() -> None:
    import kubernetes_validate  # noqa: PLC0415 - in that environment alone

    for line in sys.stdin:
        one = json.loads(line)
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(one, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                place = ".".join(map(str, error.path))
                print(f"{version}: {one['kind']} {one['metadata'].get('name')}: {place}: {error.message}")  # noqa: T201 - the output


if __name__ == "__main__":
    _main()
