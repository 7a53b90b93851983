"""Returns freed memory from the process to the machine."""

from __future__ import annotations

import ctypes
from typing import Final

_MMAP_THRESHOLD: Final = -3  # M_MMAP_THRESHOLD of glibc's mallopt
_LARGE: Final = 4 << 20


def give_back_large_blocks_at_once() -> None:
    """Keeps blocks of 4 MiB and more outside the heap, so that freeing them returns them to the machine.

    A round over 1,000 classes makes hundreds of arrays of 16 MiB one after the other, and in the heap they
    would leave holes. A C library without this setting is left unchanged.
    """
    setting = getattr(ctypes.CDLL(None), "mallopt", None)
    if setting is not None:
        setting(_MMAP_THRESHOLD, _LARGE)


def give_back() -> None:
    """Lets the C library return the freed memory that it keeps; a C library without such a call keeps it.

    Loading twenty models leaves 40 MiB behind, and so does a round over 1,000 classes.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
