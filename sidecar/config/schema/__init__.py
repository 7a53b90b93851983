"""The one schema of the configuration file. Frozen; every limit has a default and a unit."""

from __future__ import annotations

from sidecar.config.schema.candidate import (
    MAX_CANDIDATES,
    V2,
    Candidate,
    Declared,
    Discover,
    Onnx,
    Performance,
    Tls,
)
from sidecar.config.schema.capture import PATHS, Capture, CloudEvents, Mirror, Observer, Proxy, Rest
from sidecar.config.schema.endpoint import Endpoint
from sidecar.config.schema.process import Interference, Log, Scoring, Serve, Traces
from sidecar.config.schema.ranking import Constraint, Objective, Ranking
from sidecar.config.schema.section import is_name
from sidecar.config.schema.whole import Config
from sidecar.config.schema.window import Input, Output, Sample, Segments, Window

__all__ = [
    "MAX_CANDIDATES",
    "PATHS",
    "V2",
    "Candidate",
    "Capture",
    "CloudEvents",
    "Config",
    "Constraint",
    "Declared",
    "Discover",
    "Endpoint",
    "Input",
    "Interference",
    "Log",
    "Mirror",
    "Objective",
    "Observer",
    "Onnx",
    "Output",
    "Performance",
    "Proxy",
    "Ranking",
    "Rest",
    "Sample",
    "Scoring",
    "Segments",
    "Serve",
    "Tls",
    "Traces",
    "Window",
    "is_name",
]
