from __future__ import annotations

import tracemalloc
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import confusion_matrix

from sidecar.core import profile as limits
from sidecar.core.errors import InvalidError
from sidecar.core.features import WORD_BUCKETS
from sidecar.core.profile import SourceProfile
from sidecar.core.tensors import Array, TensorSpec
from sidecar.estimation.measures import histograms
from sidecar.estimation.measures.fourier import mean_fourier
from sidecar.inference.onnx import OnnxModel
from sidecar.tools.profiles import build, npz, partitions
from sidecar.tools.profiles.build import build_profile
from sidecar.tools.profiles.data import open_rows
from sidecar.tools.profiles.partitions import Draw
from tests.support.models import DigitsModels, TextModel


class Means:
    """Answers with two classes' probabilities by the mean of a row, for tests of the statistics."""

    sha256 = "0" * 64
    outputs = (TensorSpec("p", "FP32", (2,)),)

    def __init__(self, features: int) -> None:
        self.inputs = (TensorSpec("x", "FP32", (features,)),)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        second = 1 / (1 + np.exp(-inputs["x"].mean(axis=1)))
        return {"p": np.stack([1 - second, second], axis=1)}


def _rows(folder: Path, values: Array, labels: Array | None = None, *, name: str = "rows.npz") -> Any:  # noqa: ANN401 - Rows
    np.savez(folder / name, x=values, y=np.zeros(len(values)) if labels is None else labels)
    return open_rows(
        folder / name, Means(values.shape[1]).inputs, label=None if labels is None else "y", features=["x"]
    )


def _build(train: Any, validation: Any = None, **options: Any) -> SourceProfile:  # noqa: ANN401 - Rows and options
    settings: dict[str, Any] = {"output": "p", "seed": 3, "progress": lambda _: None} | options
    return build_profile(Means(train.inputs[0].shape[0]), train, validation, **settings)


def _same(first: object, second: object) -> bool:
    if is_dataclass(first):
        return all(_same(getattr(first, f.name), getattr(second, f.name)) for f in fields(first))
    if isinstance(first, np.ndarray):
        assert isinstance(second, np.ndarray)
        return first.dtype == second.dtype and np.array_equal(first, second)
    return first == second


@pytest.fixture
def values() -> Array:
    generator = np.random.default_rng(1)
    columns = [
        generator.normal(size=1030),
        generator.lognormal(size=1030),
        np.full(1030, 7.5),
        generator.integers(0, 3, 1030),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


@pytest.fixture(params=["whole", "streamed"])
def _memory(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "streamed":
        monkeypatch.setattr(npz, "_BATCH_ROWS", 17)
        monkeypatch.setattr(partitions, "_PENDING_BYTES", 300)


@pytest.mark.usefixtures("_memory")
def test_statistics_are_those_of_the_whole_array(tmp_path: Path, values: Array) -> None:
    profile = _build(_rows(tmp_path, values), partition_rows=100)

    exact = values.astype(np.float64)
    np.testing.assert_array_equal(profile.low, exact.min(axis=0))
    np.testing.assert_array_equal(profile.high, exact.max(axis=0))
    np.testing.assert_allclose(profile.mean, exact.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(profile.variance, exact.var(axis=0), rtol=1e-10, atol=1e-12)
    # Fewer rows than the sample's bound: the edges are those of all rows.
    shares = np.linspace(0, 1, limits.FEATURE_BINS + 1)[1:-1]
    np.testing.assert_allclose(profile.feature_edges, np.quantile(exact, shares, axis=0).T, rtol=1e-6)
    assert profile.rows == 1030
    assert profile.feature_names == ("x[0]", "x[1]", "x[2]", "x[3]")
    np.testing.assert_array_equal(profile.class_prior, [0.5, 0.5])


def test_a_model_without_classes_is_profiled_by_its_inputs_and_never_run(
    tmp_path: Path, values: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = _rows(tmp_path, values)
    expected = replace(
        _build(train), output="", output_kind="none", classes=(), class_prior=np.empty(0), validation=None
    )
    monkeypatch.delattr(Means, "run")
    assert _same(_build(train, output=""), expected)


@pytest.mark.usefixtures("_memory")
def test_partitions_are_counted_as_the_kernels_count_them_whole(tmp_path: Path, values: Array) -> None:
    profile = _build(_rows(tmp_path, values), partition_rows=100)

    draw = Draw.random(np.random.default_rng(3), 1030, 10, 100)
    assert profile.reference.shape == (10, limits.BINS)
    for group in range(10):
        part = values[draw.rows[draw.groups == group]]
        assert len(part) == 100
        np.testing.assert_array_equal(profile.reference[group], histograms.reference_counts(part))
        pooled = histograms.pooled_counts(part, profile.low, profile.high)
        np.testing.assert_array_equal(profile.pooled[group], pooled)
        by_feature = histograms.feature_counts(part, profile.feature_edges)
        np.testing.assert_array_equal(profile.feature_counts[group], by_feature)
        for feature, edges in enumerate(profile.feature_edges):
            # numpy's bins are closed on the left, ours on the right: mirror both.
            bins = np.concatenate([[-np.inf], np.unique(-edges), [np.inf]])
            mirrored = np.histogram(-part[:, feature].astype(np.float64), bins)[0][::-1]
            kept = by_feature[feature]
            np.testing.assert_array_equal(mirrored[mirrored > 0], kept[kept > 0])


def test_every_row_is_in_one_partition_at_most() -> None:
    draw = Draw.random(np.random.default_rng(0), 1000, 3, 200)
    assert len(set(draw.rows.tolist())) == 600
    assert np.bincount(draw.groups).tolist() == [200, 200, 200]
    assert (np.diff(draw.rows) > 0).all()
    # Drawn at random, not in blocks: every partition reaches over most of the file.
    assert all(np.ptp(draw.rows[draw.groups == group]) > 900 for group in range(3))


def test_the_same_seed_gives_the_same_profile_and_another_does_not(tmp_path: Path, values: Array) -> None:
    rows = _rows(tmp_path, values)
    first = _build(rows, partition_rows=100)
    assert _same(first, _build(rows, partition_rows=100))
    assert not _same(first, _build(rows, partition_rows=100, seed=4))


def test_a_file_of_unknown_length_gives_the_same_profile(tmp_path: Path, values: Array) -> None:
    np.savetxt(tmp_path / "rows.csv", values, "%.9g", ",", header="a,b,c,d", comments="")
    told: list[int] = []

    profile = _build(open_rows(tmp_path / "rows.csv", Means(4).inputs), progress=told.append)

    known = _build(_rows(tmp_path, values))
    np.testing.assert_array_equal(profile.reference, known.reference)
    np.testing.assert_array_equal(profile.feature_counts, known.feature_counts)
    assert profile.feature_names == ("a", "b", "c", "d")
    assert sum(told) == 3 * 1030


def test_at_most_max_partitions_are_kept(tmp_path: Path, values: Array) -> None:
    profile = _build(_rows(tmp_path, values), partition_rows=2)
    assert len(profile.pooled) == limits.MAX_PARTITIONS
    assert (profile.pooled.sum(axis=1) == 2 * 4).all()


def test_too_few_rows_for_a_partition_are_refused_with_the_mend(tmp_path: Path, values: Array) -> None:
    with pytest.raises(
        InvalidError, match=r"1030 rows do not fill .* 2000: .*--partition-rows between 1 and 1030"
    ):
        _build(_rows(tmp_path, values), partition_rows=2000)
    with pytest.raises(InvalidError, match="--partition-rows"):
        _build(_rows(tmp_path, values), partition_rows=0)


def test_very_many_features_keep_ranges_and_moments_only(
    tmp_path: Path, values: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "MAX_BINNED_FEATURES", 3)
    profile = _build(_rows(tmp_path, values), partition_rows=100)
    assert profile.feature_names == ()
    assert profile.feature_edges.shape == (0, limits.FEATURE_BINS - 1)
    assert profile.feature_counts.shape == (10, 0, limits.FEATURE_BINS)
    assert profile.low.shape == (4,)
    assert profile.pooled.sum() == 10 * 100 * 4
    assert (profile.fourier.size, profile.fourier_rows) == (0, 0)


def test_validation_is_what_scikit_learn_counts(digits_models: DigitsModels, tmp_path: Path) -> None:
    model = OnnxModel(digits_models.paths["upright"])
    images, labels = digits_models.validation["rotated"], digits_models.validation_labels
    for name, x, y in (
        ("train", digits_models.train["upright"], digits_models.train_labels),
        ("validation", images, labels),
    ):
        np.savez(tmp_path / f"{name}.npz", X=x, y=y)
    train, validation = (
        open_rows(tmp_path / f"{name}.npz", model.inputs, label="y") for name in ("train", "validation")
    )

    profile = build_profile(
        model, train, validation, output="probabilities", partition_rows=100, seed=0, progress=lambda _: None
    )

    probabilities = digits_models.estimators["upright"].predict_proba(images)
    confidence, answered = probabilities.max(axis=1), probabilities.argmax(axis=1)
    found = profile.validation
    assert found is not None
    np.testing.assert_array_equal(found.confusion, confusion_matrix(labels, answered))
    assert found.accuracy == pytest.approx((answered == labels).mean())
    assert found.rows == len(labels)
    expected = np.quantile(confidence, np.linspace(0, 1, 101))
    np.testing.assert_allclose(found.confidence_quantiles, expected, atol=1e-5)
    assert found.calibration.shape == (15, 3)
    for place, (count, mean, accuracy) in enumerate(found.calibration):
        inside = (confidence >= place / 15) & ((confidence < (place + 1) / 15) | (place == 14))
        assert count == inside.sum()
        assert mean == pytest.approx(confidence[inside].mean() if count else 0, abs=1e-5)
        assert accuracy == pytest.approx((answered == labels)[inside].mean() if count else 0)
    np.testing.assert_allclose(profile.class_prior, np.bincount(digits_models.train_labels) / 1200)
    assert profile.classes == digits_models.classes
    assert profile.model_sha256 == model.sha256


def test_text_is_profiled_as_word_counts(text_model: TextModel, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(
        "text,class\n"
        + "".join(f"{t},{c}\n" for t, c in zip(text_model.texts, text_model.labels, strict=True))
    )
    model = OnnxModel(text_model.path)
    rows = open_rows(tmp_path / "rows.csv", model.inputs, label="class")

    profile = build_profile(
        model, rows, rows, output="probabilities", partition_rows=4, seed=0, progress=lambda _: None
    )

    assert profile.classes == ("bad", "good")
    assert profile.validation is not None
    assert profile.validation.accuracy == 1
    assert profile.low.shape == (WORD_BUCKETS,)
    assert profile.mean.sum() == pytest.approx(4)  # four words a text
    # Each noun stands in two texts only and so stays with the training data.
    assert profile.words == ("bad", "bright", "dull", "gloomy", "good", "happy")
    assert profile.word_counts.sum(axis=0).tolist() == [4] * 6
    assert profile.word_counts.sum(axis=1).tolist() == [12, 12]


@pytest.mark.usefixtures("_memory")
def test_fourier_features_are_those_of_the_sampled_rows(tmp_path: Path, values: Array) -> None:
    profile = _build(_rows(tmp_path, values), partition_rows=100)
    exact = mean_fourier(values, profile.mean, profile.variance)
    np.testing.assert_allclose(profile.fourier, exact, atol=1e-6)
    assert profile.fourier_rows == 1030


class Margins(Means):
    """As `Means`, but answers with logits: the mean's half, against its negative plus one."""

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        half = inputs["x"].mean(axis=1) / 2
        return {"p": np.stack([1 - half, half], axis=1)}


def test_what_the_output_holds_is_decided_over_all_validation_rows(tmp_path: Path) -> None:
    # All but the last row's logits look like probabilities.
    rows = np.linspace(0.1, 1.9, 1000, dtype=np.float32)[:, None]
    odd = np.vstack([rows, [[2.5]]]).astype(np.float32)
    labels = (odd[:, 0] > 1).astype(np.int64)
    train = _rows(tmp_path, rows, labels[:1000], name="train.npz")
    validation = _rows(tmp_path, odd, labels, name="validation.npz")
    options: dict[str, Any] = {"output": "p", "seed": 0, "partition_rows": 50, "progress": lambda _: None}

    known = build_profile(Margins(1), train, validation, **options)
    assert known.output_kind == "logits"
    assert known.validation is not None
    logits = np.stack([1 - odd[:, 0] / 2, odd[:, 0] / 2], axis=1).astype(np.float64)
    confidence = softmax(logits, axis=1).max(axis=1)
    quantiles = np.quantile(confidence, np.linspace(0, 1, 101))
    np.testing.assert_allclose(known.validation.confidence_quantiles, quantiles, atol=1e-6)
    assert known.validation.rows == known.validation.confusion.sum() == 1001

    assert build_profile(Margins(1), train, train, **options).output_kind == "probabilities"
    assert build_profile(Margins(1), train, None, **options).output_kind == "probabilities"


@pytest.mark.parametrize(
    ("labels", "classes", "names"),
    [
        ([0, 1, 1, 1], None, ("0", "1")),
        ([1, 1, 1, 1], None, ("0", "1")),
        ([7, 3, 7, 7], None, ("3", "7")),
        (["no", "yes", "yes", "yes"], None, ("no", "yes")),
        (["no", "yes", "yes", "yes"], ["yes", "no"], ("yes", "no")),
        ([0, 1, 1, 1], ["cat", "dog"], ("cat", "dog")),
    ],
)
def test_classes_are_named_and_counted(
    tmp_path: Path, labels: list[Any], classes: list[str] | None, names: tuple[str, ...]
) -> None:
    rows = _rows(tmp_path, np.zeros((4, 1), np.float32), np.array(labels))
    profile = _build(rows, rows, classes=classes, partition_rows=2)
    assert profile.classes == names
    shares = [labels.count(name) / 4 for name in names]
    expected = shares if sum(shares) == 1 else [labels.count(place) / 4 for place in range(2)]
    expected = [0.25, 0.75] if labels == [7, 3, 7, 7] else expected
    np.testing.assert_array_equal(profile.class_prior, expected)
    assert profile.validation is not None
    np.testing.assert_array_equal(profile.validation.confusion.sum(axis=1), np.array(expected) * 4)


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        (
            ["a", "b", "c"],
            None,
            r"rows\.npz, data row 1: label 'a' is none of the 2 classes 0, 1: .*--classes",
        ),
        (["a", "b", "b"], ["a", "z"], "data row 2: label 'b' is none"),
        ([0, 1, 2], None, "data row 3: label 2 is none"),
        ([0, 1, 1], ["a"], "--classes names 1 distinct classes; the model's output has 2"),
        ([0, 1, 1], ["a", "a"], "--classes names 1 distinct"),
        ([0, 1, 1], ["1", "2"], "data row 1: label 0 is none"),
    ],
)
def test_labels_that_fit_no_class_are_named(
    tmp_path: Path, labels: list[Any], classes: list[str] | None, message: str
) -> None:
    rows = _rows(tmp_path, np.zeros((3, 1), np.float32), np.array(labels))
    with pytest.raises(InvalidError, match=message):
        _build(rows, classes=classes, partition_rows=2)


def test_what_needs_no_reading_is_refused_at_once(tmp_path: Path) -> None:
    train = _rows(tmp_path, np.zeros((4, 1), np.float32), np.array([0, 1, 0, 1]))
    told: list[int] = []
    for options in ({"classes": ["a"]}, {"validation": replace(train, label=None)}, {"partition_rows": 9}):
        with pytest.raises(InvalidError):
            _build(train, **options, progress=told.append)
    assert told == []


def test_validation_faults_are_named(tmp_path: Path) -> None:
    zeros = np.zeros((4, 1), np.float32)
    train = _rows(tmp_path, zeros, np.array([0, 1, 0, 1]))
    with pytest.raises(InvalidError, match=r"bare\.npz: validation rows need labels.*--label"):
        _build(train, _rows(tmp_path, zeros, name="bare.npz"), partition_rows=2)
    other = _rows(tmp_path, zeros, np.array([0, 1, 1, 5]), name="other.npz")
    with pytest.raises(InvalidError, match=r"other\.npz, data row 4: label 5 is none"):
        _build(train, other, partition_rows=2)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    rows = _rows(tmp_path, generator.normal(size=(500_000, 64)).astype(np.float32))
    tracemalloc.start()
    try:
        _build(rows, partition_rows=2000)  # nearly every row is drawn
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (tmp_path / "rows.npz").stat().st_size > 120e6
    assert peak < 100e6
