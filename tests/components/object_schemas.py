"""Validates objects by the schemas of Kubernetes; the interpreter that has kubernetes-validate runs this.

In, as JSON: {"objects": [...], "versions": ["1.29.0"], "custom": {"GROUP/VERSION KIND": schema of `spec`}}.
Out: the faults, as a list of lines.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jsonschema
from kubernetes_validate import utils

# Every call reads the definitions of a version anew, megabytes of them.
utils.schema_contents = functools.cache(utils.schema_contents)


def faults(
    objects: Sequence[Mapping[str, Any]], versions: Sequence[str], custom: Mapping[str, Any]
) -> Iterator[str]:
    """What is wrong with the objects; one fault an object and version is told."""
    for one in objects:
        name = f"{one['apiVersion']} {one['kind']}"
        schema = custom.get(name)
        for version in versions if schema is None else [""]:
            try:
                if schema is None:
                    utils.validate(dict(one), version, strict=True)
                else:
                    jsonschema.Draft202012Validator(schema).validate(one["spec"])
            except jsonschema.ValidationError as error:
                place = ".".join(map(str, error.absolute_path))
                yield f"{name} {one['metadata'].get('name')} {version}: {place}: {error.message}"
            except utils.SchemaNotFoundError as error:
                yield f"{name} {one['metadata'].get('name')}: {error.message}"


if __name__ == "__main__":
    json.dump(list(faults(**json.load(sys.stdin))), sys.stdout)
