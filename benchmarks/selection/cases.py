"""Lets candidates answer their targets through the product's own code; answers are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from benchmarks.selection import pools
from benchmarks.selection.case import Case
from benchmarks.selection.corpus import LIVE_ROWS
from benchmarks.selection.plan import Load
from benchmarks.selection.prepared import LABEL, Target, folder_of, prepare
from benchmarks.selection.workloads import Workload
from sidecar.config import load_candidates
from sidecar.config.schema import Candidate
from sidecar.core.profile import SourceProfile
from sidecar.core.tensors import Array, TensorSpec
from sidecar.formats.profile import read_profile
from sidecar.scoring.runners.model import Model
from sidecar.scoring.runners.opening import OpenModels
from sidecar.tools.offline.rows import answer_rows


def cases(
    workload: Workload, path: Path, load: Load | None, cache: Path, *, seed: int, said: Callable[[str], None]
) -> Iterator[Case]:
    """Yields every target of a file; what is in the cache is not made again.

    Args:
        workload: its name and quality.
        path: the file.
        load: plans it; None where it holds the candidates' answers.
        cache: see `folder_of`.
        seed: of all draws and trainings.
        said: told what is being done.
    """
    if load is None:
        yield from pools.cases(workload.name, path, seed=seed, said=said)
        return
    for target in prepare(load, path, folder_of(workload.name, path, cache, seed), seed=seed, said=said):
        said(f"asks the candidates about {target.name}")
        yield _case(workload, path.stem, target)


def _case(workload: Workload, source: str, target: Target) -> Case:
    endpoint = load_candidates(target.candidates)
    answers = target.candidates.with_suffix(".answers.npz")
    known: dict[str, Array] = {}
    if answers.exists():
        with np.load(answers) as arrays:
            known = dict(arrays)
    opener = _Opener(known)
    scorer, labels = answer_rows(endpoint, target.live, open_model=opener, label=LABEL, limit=LIVE_ROWS)
    if opener.recordings:
        new = {key: np.concatenate(parts) for key, parts in opener.recordings.items()}
        np.savez(answers, allow_pickle=False, **(known | new))
    names, evidence, unavailable = scorer.evidence()
    if labels is None:
        raise RuntimeError(f"{target.live} has no column {LABEL!r}")
    place = {name: index for index, name in enumerate(evidence.labels)}
    return Case(
        workload=workload.name,
        source=source,
        target=target.name,
        quality=workload.quality,
        names=names,
        sources=tuple(target.sources[name] for name in names),
        evidence=evidence,
        truth=np.array([place.get(label, -1) for label in labels]),
        rank=lambda: scorer.rank().ranking,
        unavailable=unavailable,
    )


class _Opener:
    """Opens candidates; those whose answers are known give these again.

    Attributes:
        recordings: answers of the others, in batches, by the candidate's name and the model file's SHA-256:
            two candidates may have equal files.
    """

    def __init__(self, known: Mapping[str, Array]) -> None:
        self.recordings: dict[str, list[Array]] = {}
        self._known = known
        self._open = OpenModels()

    def __call__(self, candidate: Candidate) -> tuple[Model, SourceProfile]:
        profile = read_profile(candidate.profile)
        key = f"{candidate.name} {profile.model_sha256}"
        if key in self._known:
            return _Recorded(profile, self._known[key]), profile
        model, profile = self._open(candidate)
        return _Recording(model, profile.output, self.recordings.setdefault(key, [])), profile


class _Recorded:
    """Gives the answers of an earlier run, to the same items in the same order."""

    def __init__(self, profile: SourceProfile, answers: Array) -> None:
        self.inputs: tuple[TensorSpec, ...] = profile.inputs
        self._output = profile.output
        self._answers = answers
        self._given = 0

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        start = self._given
        self._given += len(next(iter(inputs.values())))
        return {self._output: self._answers[start : self._given]}

    def close(self) -> None:
        """Nothing is under way."""


class _Recording:
    """Answers and writes it down."""

    def __init__(self, model: Model, output: str, recording: list[Array]) -> None:
        self.inputs = model.inputs
        self._model = model
        self._output = output
        self._recording = recording

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        answers = self._model.run(inputs)
        self._recording.append(answers[self._output])
        return answers

    def close(self) -> None:
        """Ends what is under way."""
        self._model.close()
