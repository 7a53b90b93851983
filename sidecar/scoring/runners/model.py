"""The interfaces of a model and of the function that opens it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from sidecar.config.schema import Candidate
from sidecar.core.profile import SourceProfile
from sidecar.core.tensors import Array, TensorSpec
from sidecar.scoring.runners.server_times import ServerTimes


class Model(Protocol):
    """A candidate's model, as a runner of `sidecar.scoring.runners` opens it."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The model's inputs, in the model's order."""
        ...

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Runs the model on items; takes and returns arrays [items, ...] by tensor name.

        Raises:
            InvalidError: the inputs do not fit, or the model fails on them.
            UnavailableError: the model could not be reached in time.
        """
        ...

    def close(self) -> None:
        """Ends the runs that are under way; a second call does nothing."""
        ...


@runtime_checkable
class ServedModel(Model, Protocol):
    """A model behind a server."""

    @property
    def times(self) -> ServerTimes | None:
        """Times of requests at the server; None if the server does not report them."""
        ...


class OpenModel(Protocol):
    """Opens a candidate's model and its profile, without waiting for a server."""

    def __call__(self, candidate: Candidate) -> tuple[Model, SourceProfile]:
        """Opens the model and the profile.

        Raises:
            InvalidError: a file is missing or broken, or the profile belongs to another model.
        """
        ...
