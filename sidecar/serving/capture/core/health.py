"""The answers of a capture to health checks."""

from __future__ import annotations

from typing import Final

from sidecar.serving.capture.core.http2_server import Reply

# Field 1 is 1: SERVING of a health check, true of the other questions.
YES: Final = Reply(b"\x08\x01")
HEALTH_CHECK: Final = b"/grpc.health.v1.Health/Check"
