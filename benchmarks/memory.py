"""The memory of processes, from /proc: of one, and of several with each page counted once."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_ENTRY_BYTES = 8
_PRESENT = np.uint64(1 << 63)
# A page of a file, or one that processes share on purpose; what was written to is not it any more.
_OF_FILE = np.uint64(1 << 61)


@dataclass(frozen=True, slots=True)
class Memory:
    """What one process has in RAM, in bytes.

    Attributes:
        resident: all of its pages (RSS).
        proportional: each page divided by the number of processes on the machine that have it (PSS).
        own: pages that no other process has (USS).
    """

    resident: int
    proportional: int
    own: int


def memory(process_id: int) -> Memory:
    """Of one process."""
    lines = Path(f"/proc/{process_id}/smaps_rollup").read_text().splitlines()[1:]
    kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    own = kib["Private_Clean"] + kib["Private_Dirty"]
    return Memory(kib["Rss"] << 10, kib["Pss"] << 10, own << 10)


def together_bytes(process_ids: Iterable[int]) -> int:
    """Of several processes: their own pages, and each page of a file once though several have it.

    PSS would count less where processes of other containers have the same libraries open.
    """
    own = 0
    of_files: set[tuple[str, int]] = set()
    for process_id in process_ids:
        maps = Path(f"/proc/{process_id}/maps").read_text().splitlines()
        with Path(f"/proc/{process_id}/pagemap").open("rb", buffering=0) as pagemap:
            for line in maps:
                span, _, offset, device, inode, *name = line.split(maxsplit=5)
                if name and name[0] in ("[vsyscall]", "[vvar]", "[vdso]", "[vvar_vclock]"):
                    continue
                begin, end = (int(edge, 16) // _PAGE_BYTES for edge in span.split("-"))
                pagemap.seek(begin * _ENTRY_BYTES)
                entries = np.frombuffer(pagemap.read((end - begin) * _ENTRY_BYTES), np.uint64)
                present = (entries & _PRESENT) != 0
                shared = present & ((entries & _OF_FILE) != 0) & (inode != "0")
                own += int(present.sum() - shared.sum())
                first = int(offset, 16) // _PAGE_BYTES
                of_files.update((f"{device} {inode}", first + int(page)) for page in np.flatnonzero(shared))
    return (own + len(of_files)) * _PAGE_BYTES
