"""Opens and checks candidates, whatever runs them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from sidecar.config.schema import Candidate
from sidecar.core.profile import SourceProfile
from sidecar.scoring.runners.model import Model
from sidecar.scoring.runners.table import row_of


@dataclass(frozen=True, slots=True)
class OpenModels:
    """Opens candidates; `threads` holds for models whose configuration names none."""

    threads: int = 1

    def __call__(self, candidate: Candidate) -> tuple[Model, SourceProfile]:
        """As `sidecar.scoring.runners.model.OpenModel`."""
        model, profile = row_of(candidate.model).open(candidate.model, candidate.profile, self.threads)
        return model, profile


def checked_profile(candidate: Candidate) -> SourceProfile:
    """Opens a candidate, finds what is wrong with it, and gives its profile.

    Raises:
        InvalidError: a file is missing or broken, the profile is not this model's, or the model is not as
            the profile says.
        UnavailableError: the model's server was not reached in time.
    """
    model, profile = OpenModels()(candidate)
    with closing(model):
        row_of(candidate.model).check(model)
    return profile
