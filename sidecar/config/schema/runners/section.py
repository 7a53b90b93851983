"""What the configuration asks of the section of a runner, and what the section says of its model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sidecar.config.schema.section import Section


@dataclass(frozen=True, slots=True)
class Behind:
    """The server that runs a model, and the model's name on it.

    Attributes:
        url: HOST:PORT of the server.
        model: the model's name on the server.
        in_flight: largest number of requests under way at once.
    """

    url: str
    model: str
    in_flight: int


@dataclass(frozen=True, slots=True)
class ShadowOptions:
    """Options of a run in the scoring process, named as in a performance model.

    Attributes:
        threads: intra-op threads; None: what the scoring process allows.
        provider: the device that runs the model, of `sidecar.core.providers`.
    """

    threads: int | None
    provider: str


class RunnerSection(Section):
    """Settings of a runner. All other code reads these attributes, and names no runner.

    Attributes:
        answers_live: whether the serving process can open the model, so that it may answer live calls.
    """

    answers_live: ClassVar[bool] = False

    if TYPE_CHECKING:
        # Fields of each section itself, so that the schema lists them where the section does.
        batch: int
        inputs: dict[str, str]

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:  # noqa: ANN401 - of pydantic
        """Refuses a section that lacks what every runner has."""
        super().__pydantic_init_subclass__(**kwargs)
        missing = sorted({"batch", "inputs"} - cls.model_fields.keys())
        if missing:
            raise TypeError(f"{cls.__name__} is the section of a runner: give it {', '.join(missing)}")

    @property
    def files(self) -> tuple[Path, ...]:
        """Returns the files of the model; when a file changes, the model is opened again."""
        return ()

    @property
    def behind(self) -> Behind | None:
        """The server that runs the model, which also identifies it; None: the scoring process runs it."""
        return None

    @property
    def shadow_options(self) -> ShadowOptions | None:
        """Returns the options of a run; None if its time cannot correct a performance model."""
        return None
