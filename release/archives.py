"""Archives that say nothing of the machine and the moment they were made on."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path


def write_archive(path: Path, files: Mapping[str, Path], *, made_at_s: int) -> None:
    """Writes a .tar.gz; the same files give the same bytes.

    Args:
        path: of the archive.
        files: what it holds, by the name there.
        made_at_s: the time of every file in it, seconds since 1970.
    """
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, file in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            content = file.read_bytes()
            entry.size, entry.mtime = len(content), made_at_s
            entry.mode = 0o755 if file.stat().st_mode & 0o100 else 0o644
            archive.addfile(entry, io.BytesIO(content))
    path.write_bytes(gzip.compress(packed.getvalue(), mtime=0))


def below(files: Iterable[str], *folders: str) -> list[str]:
    """Those of the files that are one of the folders or lie in one."""
    return [
        file for file in files if any(file == folder or file.startswith(f"{folder}/") for folder in folders)
    ]
