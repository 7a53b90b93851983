"""Puts the schema of the configuration file into the chart's; with --check says whether it would change.

The chart's own values are described by hand in values.schema.json; its definitions `config.*` are
generated, so that a fault in `config` is told by `helm install`, not by a pod that does not start.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sidecar.config import Config

FILE: Final = Path(__file__).parent / "pilotfish" / "values.schema.json"
_PREFIX: Final = "config."
_LEFT_OUT: Final = frozenset({"default", "examples", "format", "title"})


def with_config(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The chart's schema with the definitions of the configuration as they are now."""
    config = Config.model_json_schema()
    # Whether there are endpoints the templates check: an existing ConfigMap may have them.
    root = {key: value for key, value in config.items() if key not in {"$defs", "required"}}
    fresh = {name: _plain(part) for name, part in {**config["$defs"], "Config": root}.items()}
    own = {name: part for name, part in schema["definitions"].items() if not name.startswith(_PREFIX)}
    generated = {f"{_PREFIX}{name}": fresh[name] for name in sorted(fresh)}
    return {**schema, "definitions": {**own, **generated}}


def _plain(part: Any) -> Any:  # noqa: ANN401 - JSON
    """What an old Helm reads and tells well: draft 7, closed, without defaults and alternatives of null."""
    if isinstance(part, list):
        return [_plain(entry) for entry in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return {"$ref": part["$ref"].replace("#/$defs/", f"#/definitions/{_PREFIX}")}
    alternatives = [one for one in part.get("anyOf", ()) if one != {"type": "null"}]
    if len(alternatives) == 1:
        return _plain({**{key: part[key] for key in part if key != "anyOf"}, **alternatives[0]})
    plain = {
        # A property may be called as one of those that are left out.
        key: {name: _plain(one) for name, one in value.items()} if key == "properties" else _plain(value)
        for key, value in part.items()
        if key not in _LEFT_OUT
    }
    return {**plain, "additionalProperties": False} if "patternProperties" in plain else plain


def main() -> None:
    """Rewrites the file, or fails where it differs."""
    committed = FILE.read_text()
    fresh = json.dumps(with_config(json.loads(committed)), indent=2) + "\n"
    if "--check" not in sys.argv:
        FILE.write_text(fresh)
    elif fresh != committed:
        raise SystemExit(f"{FILE} differs from the configuration's schema; run `make helm`")


if __name__ == "__main__":
    main()
