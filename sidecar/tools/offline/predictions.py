"""Candidates that are known by their answers only: an .npz file of predictions, or of probabilities too."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from sidecar.core.class_shares import CandidateShares, ClassShares, KeptShares, VotedShares
from sidecar.core.errors import InvalidError
from sidecar.core.evidence import Evidence
from sidecar.core.labels import label_space
from sidecar.core.ranking import Ranking
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.ranking.order import RankSettings, rank

_PREDICTIONS: Final = "predictions"
_PROBABILITIES: Final = "probabilities"
# The class that stands for no usable answer; nobody is right with it.
UNUSABLE: Final = "no usable answer"
_MODELS: Final = "models"
_CLASSES: Final = "classes"
# Probabilities in half precision sum to 1 within so much.
_ROUNDED: Final = 0.02
# What numpy raises on a file that is no .npz, or holds Python objects.
_BROKEN: Final = (OSError, ValueError, EOFError)

_SETTINGS: Final = RankSettings()


@dataclass(frozen=True, slots=True)
class Predictions:
    """What C candidates answered to n items.

    Attributes:
        names: of the candidates, C of them.
        classes: names of the classes, K of them.
        answers: places in `classes`, int64 [n, C].
        truth: true classes as places in `classes` [n], -1 for one that is not there; None where unknown.
        probabilities: rows sum to 1, [n, C, K]; None where the answers are classes only.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    answers: Array
    truth: Array | None
    probabilities: Floats | None = None

    def take(self, rows: Array) -> Predictions:
        """The items of these numbers."""
        return replace(
            self,
            answers=self.answers[rows],
            truth=None if self.truth is None else self.truth[rows],
            probabilities=None if self.probabilities is None else self.probabilities[rows],
        )

    def evidence(self) -> Evidence:
        """The answers as a ranking takes them; nothing is known of the candidates' sources."""
        nothing = (None,) * len(self.names)
        return Evidence(
            profiles=nothing,
            targets=nothing,
            thresholds=nothing,
            labels=self.classes,
            probabilities=ClassShares(self._shares(), items=len(self.answers), classes=len(self.classes)),
            hard=self.probabilities is None,
            unusable=self.classes.index(UNUSABLE) if UNUSABLE in self.classes else None,
        )

    def _shares(self) -> list[CandidateShares]:
        if self.probabilities is None:
            return [VotedShares(votes, len(self.classes)) for votes in self.answers.T]
        return [KeptShares(self.probabilities[:, one]) for one in range(len(self.names))]


def rank_predictions(predictions: Predictions, settings: RankSettings = _SETTINGS) -> Ranking:
    """Ranks candidates by their predictions, as an endpoint's first round would."""
    return rank(
        predictions.names,
        predictions.evidence(),
        unavailable={},
        rng=np.random.default_rng([0, 1]),
        settings=settings,
    )


def prediction_sets(path: Path) -> tuple[str, ...]:
    """Names of the file's arrays of predictions: `predictions`, or NAME|predictions.

    Raises:
        InvalidError: the file cannot be read.
    """
    with _opened(path) as arrays:
        return tuple(name for name in arrays.files if name.split("|")[-1] == _PREDICTIONS)


def read_predictions(path: Path, *, predictions: str | None = None, label: str | None = None) -> Predictions:
    """Reads one array of predictions [n, C], by class name or number.

    An array `models` names the candidates, and `classes` the classes that numbers stand for. A number below
    0, or one that `classes` has no name for, means that the candidate gave no usable answer. An array
    `probabilities` beside the predictions (NAME|probabilities beside NAME|predictions) holds each answer's
    probabilities [n, C, K], by class number; the answers are then its highest.

    Args:
        path: an .npz file.
        predictions: the array's name; None: the only one that `prediction_sets` finds.
        label: the array with the true classes, [n] or [n, 1].

    Raises:
        InvalidError: the file cannot be read, an array is missing, or the arrays do not fit together.
    """
    if predictions is None:
        found = prediction_sets(path)
        if len(found) != 1:
            raise InvalidError(
                f"{path}: {len(found)} arrays are named NAME|{_PREDICTIONS} ({', '.join(found)}): "
                "name one with --features"
            )
        predictions = found[0]
    with _opened(path) as arrays:
        answers = _array(arrays, path, predictions)
        truth = None if label is None else _array(arrays, path, label)
        models, classes = (arrays[name] if name in arrays.files else None for name in (_MODELS, _CLASSES))
        beside = predictions[: -len(_PREDICTIONS)] + _PROBABILITIES
        shares = _array(arrays, path, beside, kinds="f") if beside in arrays.files else None
    if answers.ndim != 2 or not answers.size:  # noqa: PLR2004 - items and candidates
        raise InvalidError(
            f"{path}: array {predictions!r} has shape {list(answers.shape)}: "
            "give predictions [items, candidates]"
        )
    items, candidates = answers.shape
    if truth is not None and truth.shape not in {(items,), (items, 1)}:
        raise InvalidError(
            f"{path}: array {label!r} has shape {list(truth.shape)} for {items} items: give one label an item"
        )
    names = (
        [f"model-{number}" for number in range(candidates)] if models is None else models.astype(str).tolist()
    )
    if not len(set(names)) == len(names) == candidates:
        raise InvalidError(
            f"{path}: array {_MODELS!r} has {len(set(names))} different names for {candidates} columns of "
            f"{predictions!r}: name each candidate once"
        )
    flat = None if truth is None else truth.reshape(items)
    if shares is None:
        return _placed(tuple(names), answers, flat, classes)
    return _likely(tuple(names), _normalised(path, beside, shares, answers.shape), flat, classes)


def _opened(path: Path) -> np.lib.npyio.NpzFile:
    try:
        opened = np.load(path, allow_pickle=False)
    except _BROKEN as error:
        raise InvalidError(f"{path}: not an .npz file that can be read ({error})") from error
    if not isinstance(opened, np.lib.npyio.NpzFile):
        raise InvalidError(f"{path}: not an .npz file: write it with numpy.savez")
    return opened


def _array(arrays: np.lib.npyio.NpzFile, path: Path, name: str, kinds: str = "iuUS") -> Array:
    if name not in arrays.files:
        raise InvalidError(f"{path}: there is no array {name!r}; there is {', '.join(arrays.files)}")
    try:
        values = arrays[name]
    except _BROKEN as error:
        raise InvalidError(f"{path}: array {name!r} cannot be read ({error})") from error
    if values.dtype.kind not in kinds:
        wanted = "probabilities" if kinds == "f" else "class numbers or class names"
        raise InvalidError(f"{path}: array {name!r} is {values.dtype}; give {wanted}")
    return np.asarray(values)


def _normalised(path: Path, name: str, shares: Array, answers: tuple[int, ...]) -> Floats:
    """Probabilities whose rows sum to 1 exactly."""
    found = shares.astype(np.float64)
    if found.ndim != 3 or found.shape[:2] != answers:  # noqa: PLR2004 - items, candidates, classes
        raise InvalidError(
            f"{path}: array {name!r} has shape {list(found.shape)} for predictions {list(answers)}: give "
            "probabilities [items, candidates, classes]"
        )
    sums = found.sum(axis=2, keepdims=True)
    if not np.isfinite(sums).all() or (found < 0).any() or (np.abs(sums - 1) > _ROUNDED).any():
        raise InvalidError(f"{path}: array {name!r} has rows that do not sum to 1; give probabilities")
    return np.asarray(found / sums)


def _likely(
    names: tuple[str, ...], shares: Floats, truth: Array | None, classes: Array | None
) -> Predictions:
    """Candidates whose answers are the classes that they think likeliest."""
    width = shares.shape[2]
    space = tuple(map(str, range(width))) if classes is None else tuple(classes.astype(str).tolist())[:width]
    places = None
    if truth is not None:
        true, where = _named(truth, space)
        place_of = {name: place for place, name in enumerate(space)}
        places = np.array([place_of.get(name, -1) for name in true])[where]
    return Predictions(names, space, shares.argmax(axis=2), places, shares)


def _placed(
    names: tuple[str, ...], answers: Array, truth: Array | None, classes: Array | None
) -> Predictions:
    """Turns class names or numbers to places in one list of classes."""
    listed = () if classes is None else tuple(classes.astype(str).tolist())
    answered, places = _named(answers, listed)
    space = label_space([listed, answered])
    place_of = {name: place for place, name in enumerate(space)}
    true_places = None
    if truth is not None:
        true, where = _named(truth, listed)
        known = {name: place for name, place in place_of.items() if name != UNUSABLE}
        true_places = np.array([known.get(name, -1) for name in true])[where]
    return Predictions(names, space, np.array([place_of[name] for name in answered])[places], true_places)


def _named(values: Array, classes: tuple[str, ...]) -> tuple[list[str], Array]:
    """The names of the distinct values, and the place in that list of each value."""
    distinct, places = np.unique(values, return_inverse=True)
    if values.dtype.kind in "iu":
        names = [_class_of(number, classes) for number in distinct.tolist()]
    else:
        names = [str(value) for value in distinct.tolist()]
    return names, places.reshape(values.shape)


def _class_of(number: int, classes: tuple[str, ...]) -> str:
    """The class that a number stands for; without names it is called by its number."""
    if number < 0 or number >= len(classes) > 0:
        return UNUSABLE
    return classes[number] if classes else str(number)
