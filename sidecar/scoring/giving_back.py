"""Returns memory that a process freed to the machine."""

from __future__ import annotations

import ctypes
from typing import Final

_MMAP_THRESHOLD: Final = -3  # M_MMAP_THRESHOLD of glibc's mallopt
_LARGE: Final = 4 << 20


def give_back_large_blocks_at_once() -> None:
    """Keeps blocks of 4 MiB and more apart from the heap, so that they return to the machine when freed.

    A round over 1,000 classes makes hundreds of arrays of 16 MiB one after the other; in the heap they leave
    holes. A C library that has no such setting goes on as it did.
    """
    setting = getattr(ctypes.CDLL(None), "mallopt", None)
    if setting is not None:
        setting(_MMAP_THRESHOLD, _LARGE)


def give_back() -> None:
    """Lets the C library return what it keeps for later; a C library that has no such call keeps it.

    Loading twenty models leaves 40 MiB behind, a round over 1,000 classes as much.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
