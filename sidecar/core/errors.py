"""The one tree of errors, split by what the caller can do about it.

A message says what is wrong, where, and the mend. `sidecar.serving.errors` maps these to gRPC
status, `sidecar.tools.cli` to exit codes; nothing else does.
"""

from __future__ import annotations


class PilotfishError(Exception):
    """Anything that Pilotfish refuses or cannot do."""


class InvalidError(PilotfishError):
    """Permanent: the caller must change something first."""


class NotFoundError(InvalidError):
    """Permanent: the named thing does not exist."""


class UnavailableError(PilotfishError):
    """Transient: the same call may succeed later."""
