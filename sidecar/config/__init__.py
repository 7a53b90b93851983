"""The configuration: its schema, its units, loading it with all faults at once, watching it."""

from sidecar.config.load import ConfigFaultsError, Fault, load_candidates, load_config, valid_candidates
from sidecar.config.schema import Candidate, Config, Endpoint

__all__ = [
    "Candidate",
    "Config",
    "ConfigFaultsError",
    "Endpoint",
    "Fault",
    "load_candidates",
    "load_config",
    "valid_candidates",
]
