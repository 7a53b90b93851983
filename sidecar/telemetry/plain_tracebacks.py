"""Loads structlog without rich, which it would take for tracebacks. To be imported before anything that logs.

They are 5 MiB of each process, and rich's tracebacks show local variables, which may be payload.
"""

from __future__ import annotations

import sys

_before = sys.modules.get("rich")
# An import of what stands as None raises ImportError, which structlog takes for "not installed".
sys.modules["rich"] = None  # type: ignore[assignment]
try:
    import structlog  # noqa: F401
finally:
    if _before is None:
        del sys.modules["rich"]
    else:
        sys.modules["rich"] = _before
