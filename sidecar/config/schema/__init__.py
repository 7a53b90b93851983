"""The one schema of the configuration file. Frozen; every limit has a default and a unit."""

from __future__ import annotations

from sidecar.config.schema.candidate import (
    MAX_CANDIDATES,
    RUNNERS,
    Candidate,
    Declared,
    Discover,
    Performance,
)
from sidecar.config.schema.captures.cloudevents import PATHS, CloudEvents
from sidecar.config.schema.captures.mirror import Mirror
from sidecar.config.schema.captures.observer import Observer
from sidecar.config.schema.captures.proxy import Proxy
from sidecar.config.schema.captures.rest import Rest
from sidecar.config.schema.captures.section import CaptureSection, EnvoyFeed, Listens
from sidecar.config.schema.captures.table import CAPTURES, FED_BY_ENVOY, Capture
from sidecar.config.schema.endpoint import Endpoint
from sidecar.config.schema.process import Interference, Log, Scoring, Serve, Traces
from sidecar.config.schema.ranking import Constraint, Objective, Ranking
from sidecar.config.schema.runners.onnx import Onnx
from sidecar.config.schema.runners.section import RunnerSection
from sidecar.config.schema.runners.v2 import V2, Tls
from sidecar.config.schema.section import is_name
from sidecar.config.schema.whole import RESTART_SECTIONS, Config
from sidecar.config.schema.window import Input, Output, Sample, Segments, Window

__all__ = [
    "CAPTURES",
    "FED_BY_ENVOY",
    "MAX_CANDIDATES",
    "PATHS",
    "RESTART_SECTIONS",
    "RUNNERS",
    "V2",
    "Candidate",
    "Capture",
    "CaptureSection",
    "CloudEvents",
    "Config",
    "Constraint",
    "Declared",
    "Discover",
    "Endpoint",
    "EnvoyFeed",
    "Input",
    "Interference",
    "Listens",
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
    "RunnerSection",
    "Sample",
    "Scoring",
    "Segments",
    "Serve",
    "Tls",
    "Traces",
    "Window",
    "is_name",
]
