"""What all sections of the configuration share: their validation, their marker, and types of values."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
Name = Annotated[str, StringConstraints(pattern=_NAME)]


def is_name(text: str) -> bool:
    """Tells whether a text is a valid name of a candidate or an endpoint."""
    return re.fullmatch(_NAME, text) is not None


ObjectiveName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
# Marks a field whose change the running process does not take; it stands in the JSON schema, too.
NEEDS_RESTART: Final[JsonDict] = {"needs_restart": True}
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[Finite, Field(gt=0)]


class Section(BaseModel):
    """A mapping in the file. Its fields are the keys; all other keys are refused."""

    # The validator of a section is built with that of the whole file, or when a caller needs it alone.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
