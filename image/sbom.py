"""The list of what the image installs, as CycloneDX: a software bill of materials (SBOM)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Package = tuple[str, str, tuple[str, ...], tuple[str, ...]]


def bill_of_materials(name: str, version: str, licence: str, packages: Iterable[Package]) -> dict[str, Any]:
    """What was locked, and nothing that changes from run to run.

    Args:
        name: of what has these packages.
        version: of it.
        licence: of it, an SPDX identifier.
        packages: name, version, SHA-256 of each file of that version, and the packages that need it.

    References:
        CycloneDX 1.6; package URLs by ECMA-427.
    """
    packages = list(packages)
    urls = {found: _url(found, at) for found, at, _, _ in packages}
    root = _url(name, version)
    needs: dict[str, list[str]] = {root: [], **{url: [] for url in urls.values()}}
    for found, _, _, wanted_by in packages:
        for one in wanted_by:
            needs[urls.get(one, root)].append(urls[found])
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": name,
                "version": version,
                "purl": root,
                "licenses": [{"license": {"id": licence}}],
            }
        },
        "components": [
            {
                "type": "library",
                "bom-ref": urls[found],
                "name": found,
                "version": at,
                "purl": urls[found],
                "externalReferences": [
                    {
                        "type": "distribution",
                        "url": f"https://pypi.org/project/{found}/{at}/#files",
                        "hashes": [{"alg": "SHA-256", "content": one} for one in hashes],
                    }
                ],
            }
            for found, at, hashes, _ in packages
        ],
        "dependencies": [{"ref": of, "dependsOn": sorted(set(on))} for of, on in sorted(needs.items())],
    }


def _url(name: str, version: str) -> str:
    return f"pkg:pypi/{name}@{version}"
