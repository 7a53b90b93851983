"""The one tree of errors, split by what the caller can do about an error.

A message says what is wrong, where it is wrong, and what to do. Only `sidecar.serving.errors` maps errors to
gRPC status, and only `sidecar.tools.cli` maps them to exit codes.
"""

from __future__ import annotations


class PilotfishError(Exception):
    """Pilotfish refuses something, or cannot do it."""


class InvalidError(PilotfishError):
    """The error is permanent: the caller must change something first."""


class NotFoundError(InvalidError):
    """The error is permanent: the named thing does not exist."""


class UnavailableError(PilotfishError):
    """The error is transient: the same call may succeed later."""
