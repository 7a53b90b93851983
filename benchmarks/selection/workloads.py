"""The written-out table of workloads. A workload, or a format of files for one, is added by one line here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from benchmarks.selection import activity, entity, exercises, images, tables, text, tokens, written
from benchmarks.selection.plan import Load, transfer
from benchmarks.selection.retrained import OWN, all_rows, live_rows, plan


@dataclass(frozen=True, slots=True)
class Format:
    """Files of one kind.

    Attributes:
        files: a pattern below the data folder; every file is a source of its own. Empty: no file is needed.
        load: plans a file; None where it holds the candidates' answers.
    """

    files: str
    load: Load | None


@dataclass(frozen=True, slots=True)
class Workload:
    """Rankings of one kind.

    Attributes:
        quality: what makes a candidate good: accuracy, or F1 of the target's rarest class where
            accuracy would praise the answer "never".
        control: transfer is at chance here, and the ranking has to say so.
    """

    name: str
    formats: tuple[Format, ...]
    quality: Literal["accuracy", "f1"] = "accuracy"
    control: bool = False

    def sources(self, data: Path) -> Iterator[tuple[Path, Load | None]]:
        """Yields the files that are there, and what plans them."""
        for one in self.formats:
            for path in sorted(data.glob(one.files)) if one.files else [Path()]:
                yield path, one.load


WORKLOADS: Final = (
    Workload(
        "retrained",
        (
            Format("tabular/*.parquet", plan(lambda path, _: tables.rows(path))),
            Format("text/*.parquet", plan(all_rows(text.load))),
            Format("image/*.parquet", plan(all_rows(images.load_photographs))),
            Format("activity/wisdm*.parquet", plan(live_rows(activity.load))),
        ),
    ),
    Workload("tabular", (Format("tabular/*.parquet", transfer(tables.load)),)),
    Workload("activity", (Format("activity/wisdm*.parquet", transfer(activity.load)),)),
    Workload("image", (Format("image/*.parquet", transfer(images.load_photographs)),)),
    Workload("office", (Format("image/*.npz", transfer(images.load_histograms)),)),
    Workload("text", (Format("text/*.parquet", transfer(text.load)),)),
    Workload("nlp", (Format("nlp/*.parquet", transfer(tokens.load)),)),
    Workload("entity", (Format("entity/*.parquet", transfer(entity.load)),), quality="f1"),
    Workload("pools", (Format("predictions/*.npz", None),)),
    Workload("wle", (Format("activity/wle*.parquet", transfer(exercises.load)),), control=True),
)
DIGITS: Final = Workload("digits", (Format("", transfer(written.load)),))

_VOTES: Final = "pools with votes"
_PROBABILITIES: Final = "pools with probabilities"
_IN_SUPPORT: Final = "retrained in support"
_DRIFTING: Final = "retrained drifting"
KINDS: Final = (
    _IN_SUPPORT,
    _DRIFTING,
    *(one.name for one in WORKLOADS if one.name not in {"retrained", "pools"}),
    _VOTES,
    _PROBABILITIES,
)


def kind_of(workload: str, target: str, *, hard: bool) -> str:
    """What kind of ranking a target is: a row of the table.

    Args:
        workload: its name.
        target: the domain's name.
        hard: whether the candidates' answers are classes only.
    """
    if workload == "retrained":
        return _IN_SUPPORT if target == OWN else _DRIFTING
    if workload == "pools":
        return _VOTES if hard else _PROBABILITIES
    return workload
