"""The written-out table of workloads. A workload is added by one line here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from benchmarks.selection import activity, entity, exercises, images, text, tokens, written
from benchmarks.selection.corpus import Load


@dataclass(frozen=True, slots=True)
class Workload:
    """Domains whose models are candidates for each other.

    Attributes:
        file: below the data folder; empty where none is needed.
        load: reads the file; None where the file is a folder of hard predictions.
        quality: what makes a candidate good: accuracy, or F1 of the target's rarest class where
            accuracy would praise the answer "never".
        control: transfer is at chance here, and the ranking has to say so.
    """

    name: str
    file: str
    load: Load | None
    quality: Literal["accuracy", "f1"] = "accuracy"
    control: bool = False


WORKLOADS: Final = (
    Workload("activity", "activity/wisdm_watch.parquet", activity.load),
    Workload("image", "image/cifar10_20k.parquet", images.load_photographs),
    Workload("office", "image/office_caltech_surf.npz", images.load_histograms),
    Workload("text", "text/fdu_mtl.parquet", text.load),
    Workload("nlp", "nlp/crossner.parquet", tokens.load),
    Workload("entity", "entity/er.parquet", entity.load, quality="f1"),
    Workload("pools", "predictions", None),
    Workload("wle", "activity/wle.parquet", exercises.load, control=True),
)
DIGITS: Final = Workload("digits", "", written.load)
