from __future__ import annotations

import json
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from safetensors import safe_open

from sidecar.core.errors import InvalidError
from sidecar.core.profile import BINS, FEATURE_BINS, FOURIER_FREQUENCIES, SourceProfile, Validation
from sidecar.core.tensors import Array, TensorSpec
from sidecar.formats.profile import read_profile, write_profile

GOLDENS = Path(__file__).parents[2] / "golden" / "profiles"
GOLDEN = GOLDENS / "format-2.safetensors"


def _counts(values: int, *shape: int) -> Array:
    counts = np.zeros(shape, dtype=np.int64)
    counts[..., 0] = values - 1
    counts[..., -1] = 1
    return counts


def _profile() -> SourceProfile:
    """Two features, three partitions of four rows, two classes."""
    return SourceProfile(
        model_sha256="ab" * 32,
        inputs=(TensorSpec("x", "FP32", (2,)),),
        output="probabilities",
        output_kind="logits",
        classes=("cat", "dög"),
        feature_names=("width", "height"),
        rows=13,
        partition_rows=4,
        low=np.array([-1.5, 0]),
        high=np.array([2.25, 0]),
        mean=np.array([1 / 3, 0]),
        variance=np.array([0.1, 0]),
        reference=_counts(8, 3, BINS),
        pooled=_counts(8, 3, BINS + 2),
        feature_edges=np.linspace([-1, 0], [2, 0], FEATURE_BINS - 1, axis=1),
        feature_counts=_counts(4, 3, 2, FEATURE_BINS).astype(np.int32),
        fourier=np.linspace(-1, 1, 2 * FOURIER_FREQUENCIES) / 16,
        fourier_rows=13,
        words=("purr", "wuff"),
        word_counts=np.array([[2, 1], [0, 0], [3, 1]], dtype=np.int32),
        class_prior=np.array([0.25, 0.75]),
        validation=Validation(
            rows=5,
            confusion=np.array([[2, 0], [1, 2]]),
            confidence_quantiles=np.linspace(0.5, 1, 101),
            calibration=np.array([[0, 0, 0], [5, 0.75, 0.8]]),
        ),
        built_with={"pilotfish": "0.1.0", "numpy": "2.4.6"},
    )


def _same(first: object, second: object) -> bool:
    if is_dataclass(first):
        return all(_same(getattr(first, f.name), getattr(second, f.name)) for f in fields(first))
    if isinstance(first, np.ndarray):
        assert isinstance(second, np.ndarray)
        return first.dtype == second.dtype and np.array_equal(first, second)
    return first == second


def _without_classes() -> SourceProfile:
    bare = replace(_profile(), output="", output_kind="none", classes=())
    return replace(bare, class_prior=np.empty(0), validation=None)


@pytest.mark.parametrize("profile", [_profile(), replace(_profile(), validation=None), _without_classes()])
def test_what_is_written_is_read(tmp_path: Path, profile: SourceProfile) -> None:
    write_profile(profile, tmp_path / "p.safetensors")

    assert _same(read_profile(tmp_path / "p.safetensors", model_sha256="ab" * 32), profile)
    assert list(tmp_path.iterdir()) == [tmp_path / "p.safetensors"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output": "y"}, "gives no classes, and has an output"),
        ({"classes": ("cat", "dog"), "class_prior": np.array([0.5, 0.5])}, "gives no classes, and has"),
        ({"validation": _profile().validation}, "gives no classes, and has"),
        ({"output_kind": "logits"}, "two classes"),
        ({"class_prior": np.array([1.0])}, r"class_prior is float64 \[1\] where \[0\]"),
    ],
)
def test_classes_are_missing_altogether_or_not_at_all(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidError, match=message):
        write_profile(replace(_without_classes(), **changes), tmp_path / "p.safetensors")


def test_format_2_stays_readable_and_is_rewritten_byte_for_byte(tmp_path: Path) -> None:
    write_profile(read_profile(GOLDEN), tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == GOLDEN.read_bytes()
    assert _same(read_profile(GOLDEN), _profile())


def test_another_model_is_refused_with_both_hashes(tmp_path: Path) -> None:
    write_profile(_profile(), tmp_path / "p.safetensors")
    with pytest.raises(
        InvalidError, match=r"of model abababababab, not of cdcdcdcdcdcd: rebuild .* build --model"
    ):
        read_profile(tmp_path / "p.safetensors", model_sha256="cd" * 32)


def test_another_format_version_is_refused_with_the_mend(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="format version 1; this Pilotfish reads 2: rebuild it with"):
        read_profile(GOLDENS / "format-1.safetensors")
    with pytest.raises(InvalidError, match="format version 3; this Pilotfish reads 2: rebuild it with"):
        read_profile(_rewritten(tmp_path, header={"format_version": 3}))


def _rewritten(
    folder: Path, header: dict[str, Any] | None = None, arrays: dict[str, Array | None] | None = None
) -> Path:
    """The golden profile with parts of it changed, None: left out."""
    with safe_open(GOLDEN, framework="numpy") as file:
        content = json.loads(file.metadata()["pilotfish_profile"]) | (header or {})
        tensors = {name: file.get_tensor(name) for name in file.keys()} | (arrays or {})  # noqa: SIM118 - it is no dict
    kept = {name: array for name, array in tensors.items() if array is not None}
    path = folder / "changed.safetensors"
    path.write_bytes(safetensors.numpy.save(kept, {"pilotfish_profile": json.dumps(content)}))
    return path


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"rows": "13"}, "description is damaged"),
        ({"classes": ["cat"]}, "two classes"),
        ({"classes": ["cat", "cat"]}, "class name occurs twice"),
        ({"words": ["purr", "purr"]}, "word occurs twice"),
        ({"words": ["purr"]}, r"word_counts is int32 \[3, 2\] where \[3, 1\]"),
        ({"fourier_rows": 0}, "not the mean of rows"),
        ({"output_kind": "guesses"}, "description is damaged"),
        ({"classes": ["a", "b", "c"]}, r"class_prior is float64 \[2\] where \[3\]"),
        ({"feature_names": ["one"]}, "1 feature names stand for 2"),
        ({"rows": 11}, "11 rows cannot fill"),
        ({"partition_rows": 3}, "reference does not count 6 values"),
        ({"validation_rows": 6}, "confusion matrix does not count"),
        ({"inputs": [{"name": "x", "datatype": "FP8", "shape": [2]}]}, "datatype is unknown"),
        ({"inputs": [{"name": "x"}]}, "description is damaged"),
    ],
)
def test_a_damaged_description_is_refused(tmp_path: Path, header: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidError, match=message) as caught:
        read_profile(_rewritten(tmp_path, header=header))
    assert "rebuild it with `pilotfish profile build`" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("mean", None, "has no array 'mean'"),
        ("mean", np.array([np.nan, 0]), "mean is not finite"),
        ("mean", np.zeros(3), r"mean is float64 \[3\] where \[2\]"),
        ("low", np.array(1.0), "where .* is needed|stand for"),
        ("low", np.array([3.0, 0]), "a range or a variance is negative"),
        ("variance", np.array([-1.0, 0]), "a range or a variance is negative"),
        ("reference", np.zeros((0, BINS), dtype=np.int64), "needs features, partitions"),
        ("reference", np.zeros((), dtype=np.int64), "needs features, partitions"),
        ("reference", np.zeros((3, BINS)), "reference is float64"),
        ("pooled", _counts(7, 3, BINS + 2), "pooled does not count 8 values"),
        ("feature_counts", _counts(4, 3, 2, FEATURE_BINS - 1), "feature_counts is"),
        ("feature_edges", np.full((2, FEATURE_BINS - 1), np.inf), "feature_edges is not finite"),
        ("feature_edges", -np.linspace([-1, 0], [2, 0], FEATURE_BINS - 1, axis=1), "do not ascend"),
        ("fourier", np.zeros(4), r"fourier is float64 \[4\] where \[256\]"),
        ("fourier", np.ones(2 * FOURIER_FREQUENCIES), "not the mean of rows"),
        ("word_counts", np.full((3, 2), -1), "a word count is negative"),
        ("class_prior", np.array([0.5, 0.6]), "prior does not sum to 1"),
        ("validation.confusion", np.array([[9, -4], [0, 0]]), "confusion matrix does not count"),
        ("validation.calibration", np.zeros((2, 3)), "calibration does not count"),
        ("validation.calibration", np.zeros(3), r"validation\.calibration is"),
        ("validation.confidence_quantiles", np.array([1, 0.5]), "do not ascend"),
    ],
)
def test_arrays_that_contradict_each_other_are_refused(
    tmp_path: Path, name: str, array: Array | None, message: str
) -> None:
    with pytest.raises(InvalidError, match=message):
        read_profile(_rewritten(tmp_path, arrays={name: array}))


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_a_truncated_profile_is_refused(tmp_path: Path, kept: int) -> None:
    (tmp_path / "p.safetensors").write_bytes(GOLDEN.read_bytes()[:kept])
    with pytest.raises(InvalidError, match="the file is no profile, or it is damaged"):
        read_profile(tmp_path / "p.safetensors")


def test_what_is_no_profile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="no such profile: build it"):
        read_profile(tmp_path / "none.safetensors")
    (tmp_path / "other.safetensors").write_bytes(safetensors.numpy.save({"w": np.zeros(2)}))
    with pytest.raises(InvalidError, match="the file is safetensors, but no profile"):
        read_profile(tmp_path / "other.safetensors")


def test_types_that_numpy_lacks_are_refused(tmp_path: Path) -> None:
    header = json.dumps({"w": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}).encode()
    with safe_open(GOLDEN, framework="numpy") as file:
        text = file.metadata()
    header = json.dumps(json.loads(header) | {"__metadata__": text}).encode()
    (tmp_path / "p.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0")
    with pytest.raises(InvalidError, match=r"damaged|no array"):
        read_profile(tmp_path / "p.safetensors")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "p.safetensors"
    write_profile(_profile(), path)
    before = path.read_bytes()
    with pytest.raises(InvalidError, match="mean is not finite"):
        write_profile(replace(_profile(), mean=np.array([np.nan, 0])), path)
    with pytest.raises(OSError, match="No such file"):
        write_profile(_profile(), tmp_path / "absent" / "p.safetensors")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_partitions_of_any_size_keep_their_counts(tmp_path: Path) -> None:
    rows = 70_000
    profile = replace(
        _profile(),
        rows=3 * rows,
        partition_rows=rows,
        reference=_counts(2 * rows, 3, BINS),
        pooled=_counts(2 * rows, 3, BINS + 2),
        feature_counts=_counts(rows, 3, 2, FEATURE_BINS).astype(np.int32),
    )
    write_profile(profile, tmp_path / "p.safetensors")
    assert _same(read_profile(tmp_path / "p.safetensors"), profile)
