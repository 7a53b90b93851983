"""Opens and checks candidates with any runner."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from sidecar.config.schema import Candidate
from sidecar.core.profile import SourceProfile
from sidecar.scoring.runners.model import Model
from sidecar.scoring.runners.table import row_of


@dataclass(frozen=True, slots=True)
class OpenModels:
    """Opens candidates; `threads` applies to models whose configuration does not set threads."""

    threads: int = 1

    def __call__(self, candidate: Candidate) -> tuple[Model, SourceProfile]:
        """Implements `sidecar.scoring.runners.model.OpenModel`."""
        model, profile = row_of(candidate.model).open(candidate.model, candidate.profile, self.threads)
        return model, profile


def checked_profile(candidate: Candidate) -> SourceProfile:
    """Opens and checks a candidate, and returns its profile.

    Raises:
        InvalidError: a file is missing or broken, the profile belongs to another model, or the model differs
            from what the profile says.
        UnavailableError: the model's server was not reached in time.
    """
    model, profile = OpenModels()(candidate)
    with closing(model):
        row_of(candidate.model).check(model)
    return profile
