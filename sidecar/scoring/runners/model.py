"""What the scoring process needs of a model, and of what opens it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from sidecar.config.schema import Candidate
from sidecar.core.profile import SourceProfile
from sidecar.core.tensors import Array, TensorSpec
from sidecar.scoring.runners.server_times import ServerTimes


class Model(Protocol):
    """What answers for a candidate; the runners of `sidecar.scoring.runners` are such."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The model's inputs, in its order."""
        ...

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Answers items; arrays [items, ...] by tensor name.

        Raises:
            InvalidError: the inputs do not fit, or the model fails on them.
            UnavailableError: it could not be reached in time.
        """
        ...

    def close(self) -> None:
        """Ends what is under way; a second time does nothing."""
        ...


@runtime_checkable
class ServedModel(Model, Protocol):
    """A model behind a server."""

    @property
    def times(self) -> ServerTimes | None:
        """What requests take there; None where it does not tell."""
        ...


class OpenModel(Protocol):
    """Opens a candidate's model and its profile; waits for no server."""

    def __call__(self, candidate: Candidate) -> tuple[Model, SourceProfile]:
        """Opens both.

        Raises:
            InvalidError: a file is missing or broken, or the profile is not this model's.
        """
        ...
