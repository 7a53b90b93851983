"""Observations as they come, one line each, so that interrupted work goes on where it stopped."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from sidecar.core.errors import InvalidError
from sidecar.tools.measuring.observation import Observation

_SUFFIX: Final = ".unfinished"


class Journal:
    """The file OUT.unfinished, until the work is done.

    Attributes:
        observations: observations by round and configuration.
        failures: why a configuration does not run, by configuration.
    """

    def __init__(self, out: Path, work: dict[str, Any]) -> None:
        """Takes what an earlier run left.

        Args:
            out: the table that is to be written; the journal stands beside it.
            work: says what is measured; JSON. A journal of other work is not continued.

        Raises:
            InvalidError: the journal is of other work, or not a journal.
        """
        self.path = out.with_name(out.name + _SUFFIX)
        self.observations: dict[tuple[int, int], Observation] = {}
        self.failures: dict[int, str] = {}
        lines = self.path.read_text().split("\n") if self.path.exists() else []
        # What stands behind the last line end was being written when the run was cut off.
        whole = "".join(f"{line}\n" for line in lines[:-1])
        try:
            entries = [json.loads(line) for line in lines[:-1]]
            if entries and entries[0] != json.loads(json.dumps(work)):
                raise InvalidError(
                    f"{self.path}: an unfinished measurement of other work; finish it with the options "
                    "it was begun with, or remove the file"
                )
            for entry in entries[1:]:
                self._take(**entry)
        except (ValueError, TypeError) as error:
            raise InvalidError(
                f"{self.path}: not a journal, or a damaged one ({error}): remove it"
            ) from error
        self.path.write_text(whole or json.dumps(work) + "\n")

    def __enter__(self) -> Self:
        self._file = self.path.open("a")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def observed(self, number: int, configuration: int, seen: Observation) -> None:
        """Writes down an observation."""
        self._write({"number": number, "configuration": configuration, "seen": asdict(seen)})

    def failed(self, configuration: int, why: str) -> None:
        """Writes down that a configuration does not run."""
        self._write({"number": 0, "configuration": configuration, "why": why})

    def remove(self) -> None:
        """The work is done."""
        self.path.unlink()

    def _write(self, entry: dict[str, Any]) -> None:
        self._take(**entry)
        self._file.write(json.dumps(entry) + "\n")
        self._file.flush()

    def _take(
        self, number: int, configuration: int, seen: dict[str, Any] | None = None, why: str = ""
    ) -> None:
        if seen is None:
            self.failures[configuration] = why
        else:
            self.observations[number, configuration] = Observation(**seen)
