"""The everyday case: several models trained from one source, and traffic like it, near it, or drifting away.

The source is one domain of a file, or as many as make enough rows. Its models are what a team has at hand
after some months: other families, seeds and sizes, half of the data or of the columns, other precisions,
a distilled one, one that was trained elsewhere, one that went wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import numpy_helper
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from benchmarks.selection.corpus import LIVE_ROWS, TRAIN_ROWS, VALIDATION_ROWS, Corpus, Part
from benchmarks.selection.families import exported, families, fitted, numbers_of, words
from benchmarks.selection.plan import Candidate, Load, Plan, Traffic
from sidecar.core.tensors import Array

OWN: Final = "own"
NEIGHBOUR: Final = "neighbour"
DRIFT: Final = "drift"
# Of the source's rows: what is trained on and what is validated on; the others are served.
_SHARES: Final = (0.4, 0.2)
_ENOUGH_ROWS: Final = 3_000
_LEAST_POOL: Final = 3
# Of the labels of the candidate that went wrong, so many are drawn anew.
_SPOILT: Final = 0.6
_FEW_TREES: Final = 5

Read = Callable[[Path, int], tuple[tuple[str, ...], Mapping[str, Part]]]


def live_rows(load: Callable[[Path, int], Corpus]) -> Read:
    """Reads the rows of each domain of a corpus that serves whole domains."""
    return lambda path, seed: _rows(load(path, seed), lambda one: [one.live])


def all_rows(load: Callable[[Path, int], Corpus]) -> Read:
    """Reads the rows of each domain of a corpus whose training, validation and served rows differ."""
    return lambda path, seed: _rows(load(path, seed), lambda one: [one.train, one.validation, one.live])


def plan(read: Read) -> Load:
    """Makes what plans a pool of one source of a file and three kinds of traffic."""

    def planned(path: Path, seed: int) -> Plan:
        columns, parts = read(path, seed)
        rng = np.random.default_rng([seed, len(parts)])
        names = rng.permutation(sorted(parts)).tolist()
        source = [names.pop()]
        while sum(len(parts[name].labels) for name in source) < _ENOUGH_ROWS and len(names) > 1:
            source.append(names.pop())
        if not names:
            return Plan(columns, (), ())
        rows = _joined([parts[name] for name in source])
        rows = rows.take(rng.permutation(len(rows.labels)))
        ends = np.cumsum([int(share * len(rows.labels)) for share in _SHARES])
        train, validation, own = (rows.take(places) for places in np.split(np.arange(len(rows.labels)), ends))
        train = train.sample(TRAIN_ROWS, rng)
        made = _Source("+".join(sorted(source)), columns, train, validation.sample(VALIDATION_ROWS, rng))
        neighbour = parts[names.pop()].sample(LIVE_ROWS, rng)
        stale = None
        if names:
            other = parts[names.pop()].sample(TRAIN_ROWS + VALIDATION_ROWS, rng)
            cut = 2 * len(other.labels) // 3
            stale = _Source(
                "stale", columns, other.take(np.arange(cut)), other.take(np.arange(cut, len(other.labels)))
            )
        recipes = _recipes(made, stale)
        size = int(rng.integers(_LEAST_POOL, len(recipes) + 1))
        chosen = sorted(rng.permutation(sorted(recipes))[:size].tolist())
        own = own.sample(LIVE_ROWS, rng)
        return Plan(
            columns,
            tuple(recipes[name] for name in chosen),
            tuple(
                Traffic(name, live, tuple(chosen))
                for name, live in (
                    (OWN, own),
                    (NEIGHBOUR, neighbour),
                    (DRIFT, _drifting(own, neighbour, rng)),
                )
            ),
        )

    return planned


@dataclass(frozen=True, slots=True)
class _Source:
    """What models are trained and validated on."""

    name: str
    columns: tuple[str, ...]
    train: Part
    validation: Part

    def candidate(self, name: str, model: Any, train: Part | None = None) -> Candidate:  # noqa: ANN401
        """A candidate that is trained on these rows, or on some that were made of them."""
        return self.made(name, lambda part: fitted(model, part, part.labels), train)

    def made(
        self, name: str, fit: Callable[[Part], Any], train: Part | None = None, *, digits: int | None = None
    ) -> Candidate:
        """The same by any way of training; `digits`: bits that the numbers of its model keep."""
        used = self.train if train is None else train

        def write(path: Path) -> tuple[str, ...]:
            model = fit(used)
            content = exported(model, used, self.columns)
            path.write_bytes(content if digits is None else rounded(content, digits))
            return tuple(str(label) for label in model.classes_)

        return Candidate(name, self.name, used, self.validation.known(used.labels), write)


def _recipes(source: _Source, stale: _Source | None) -> dict[str, Candidate]:
    """The kinds of candidates, by name."""
    train = source.train
    texts = train.text_columns
    made = families(train)
    first, *_, last = made
    half = train.take(np.arange(len(train.labels) // 2))
    rng = np.random.default_rng(len(train.labels))
    spoilt = train.labels.copy()
    drawn = rng.random(len(spoilt)) < _SPOILT
    spoilt[drawn] = rng.permutation(spoilt[drawn])
    found = {
        **{name: source.candidate(name, family(1, texts)) for name, family in made.items()},
        "seed": source.candidate("seed", made["trees"](2, texts)),
        "small": source.candidate("small", _small(train)),
        "half": source.candidate("half", made[last](3, texts), half),
        "columns": source.candidate("columns", _fewer_columns(train, rng)),
        "fp16": source.made("fp16", lambda part: fitted(made[last](1, texts), part, part.labels), digits=10),
        "int8": source.made("int8", lambda part: fitted(made[first](1, texts), part, part.labels), digits=7),
        "distilled": source.made("distilled", _distil(made["trees"](1, texts), made[first](4, texts))),
        "broken": source.candidate("broken", made[first](5, texts), Part(train.items, spoilt)),
    }
    if stale is not None:
        found["stale"] = stale.candidate("stale", made["trees"](6, texts))
    return found


def _small(part: Part) -> Any:  # noqa: ANN401 - scikit-learn has no types
    trees = ExtraTreesClassifier(_FEW_TREES, max_depth=6, random_state=7)
    if part.is_text:
        return make_pipeline(words(300), trees)
    return trees if part.text_columns is None else make_pipeline(numbers_of(part.text_columns), trees)


def _fewer_columns(part: Part, rng: np.random.Generator) -> Any:  # noqa: ANN401 - the same
    """A model that looks at half of the columns, or at the most frequent words."""
    last = LogisticRegression(C=1.0, max_iter=200, random_state=8)
    if part.is_text:
        return make_pipeline(words(500), last)
    width = part.items.shape[1]
    kept = np.sort(rng.permutation(width)[: (width + 1) // 2]).tolist()
    if part.text_columns is None:
        return make_pipeline(ColumnTransformer([("kept", numbers_of(None), kept)]), last)
    return make_pipeline(numbers_of(part.text_columns, kept), last)


def _distil(teacher: Any, pupil: Any) -> Callable[[Part], Any]:  # noqa: ANN401 - the same
    def fit(part: Part) -> Any:  # noqa: ANN401 - the same
        answers = fitted(teacher, part, part.labels).predict(part.items)
        several = len(np.unique(answers.astype(str))) > 1
        return fitted(pupil, part, answers if several else part.labels)

    return fit


def rounded(content: bytes, bits: int) -> bytes:
    """An ONNX model whose weights keep so many bits: 10 as in FP16's fraction, 7 as of int8 with a sign."""
    model = onnx.load_model_from_string(content)
    for initializer in model.graph.initializer:
        if initializer.data_type == onnx.TensorProto.FLOAT:
            values = _kept(numpy_helper.to_array(initializer), bits)
            initializer.CopyFrom(numpy_helper.from_array(values, initializer.name))
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name in {"coefficients", "intercepts"}:
                attribute.floats[:] = _kept(np.array(attribute.floats, dtype=np.float32), bits).tolist()
    return bytes(model.SerializeToString())


def _kept(values: Array, bits: int) -> Array:
    if bits > 8:
        return values.astype(np.float16).astype(np.float32)
    largest = float(np.abs(values).max(initial=0.0))
    step = largest / (1 << bits) or 1.0
    return np.asarray(np.round(values / step) * step, dtype=np.float32)


def _drifting(own: Part, neighbour: Part, rng: np.random.Generator) -> Part:
    """Rows of the source that more and more are rows of its neighbour."""
    rows = min(len(own.labels), len(neighbour.labels))
    moved = rng.random(rows) < np.linspace(0, 1, rows)
    both = _joined([own, neighbour])
    return both.take(np.where(moved, len(own.labels) + np.arange(rows), np.arange(rows)))


def _rows(corpus: Corpus, of: Callable[[Any], Sequence[Part]]) -> tuple[tuple[str, ...], dict[str, Part]]:
    return corpus.columns, {one.name: _joined(of(one)) for one in corpus.domains}


def _joined(parts: Sequence[Part]) -> Part:
    return Part(
        np.concatenate([part.items for part in parts]), np.concatenate([part.labels for part in parts])
    )
