"""Writes what the chart takes from the configuration's schema; with --check it fails where a file differs.

The chart's own values are described by hand in values.schema.json. Its definitions `config.*` are
generated, so that `helm install` reports a fault in `config` before a pod fails to start. The template
`_restart.tpl` is generated, too: it hashes the sections whose change must replace the pod.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sidecar.config import Config
from sidecar.config.schema import RESTART_SECTIONS

_CHART: Final = Path(__file__).parent / "pilotfish"
_PREFIX: Final = "config."
_LEFT_OUT: Final = frozenset({"default", "examples", "format", "title"})


def with_config(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the chart's schema with the current definitions of the configuration."""
    config = Config.model_json_schema()
    # The templates check whether there are endpoints, as an existing ConfigMap may have them.
    root = {key: value for key, value in config.items() if key not in {"$defs", "required"}}
    fresh = {name: _plain(part) for name, part in {**config["$defs"], "Config": root}.items()}
    own = {name: part for name, part in schema["definitions"].items() if not name.startswith(_PREFIX)}
    generated = {f"{_PREFIX}{name}": fresh[name] for name in sorted(fresh)}
    return {**schema, "definitions": {**own, **generated}}


def _plain(part: Any) -> Any:  # noqa: ANN401 - JSON
    """Reduces a schema to what an old Helm reads: draft 7, closed, no defaults, no alternatives of null."""
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
        # A property may have the name of a keyword that is left out.
        key: {name: _plain(one) for name, one in value.items()} if key == "properties" else _plain(value)
        for key, value in part.items()
        if key not in _LEFT_OUT
    }
    return {**plain, "additionalProperties": False} if "patternProperties" in plain else plain


def restart_template() -> str:
    """The template `pilotfish.restartsOn`: a hash of the sections whose change needs a restart."""
    sections = " ".join(json.dumps(name) for name in RESTART_SECTIONS)
    return (
        "{{/* Written by python -m helm.schema from the configuration's schema: do not edit. */}}\n\n"
        '{{- define "pilotfish.restartsOn" -}}\n'
        f"{{{{- pick .Values.config {sections} | toJson | sha256sum -}}}}\n"
        "{{- end }}\n"
    )


def main() -> None:
    """Rewrites the files, or fails where one differs."""
    schema = _CHART / "values.schema.json"
    fresh = {
        schema: json.dumps(with_config(json.loads(schema.read_text())), indent=2) + "\n",
        _CHART / "templates" / "_restart.tpl": restart_template(),
    }
    for path, text in fresh.items():
        if "--check" not in sys.argv:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            raise SystemExit(f"{path} differs from the configuration's schema; run `make helm`")


if __name__ == "__main__":
    main()
