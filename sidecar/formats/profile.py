"""Reads and writes source profiles: safetensors with versioned JSON beside the arrays.

Reading a file and writing the profile again gives the same bytes.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import safetensors.numpy
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open

from sidecar.core.answers import OutputKind
from sidecar.core.class_shares import FEW_CLASSES
from sidecar.core.errors import InvalidError
from sidecar.core.files import replace_file
from sidecar.core.profile import SourceProfile, Validation
from sidecar.core.tensors import Array, TensorSpec
from sidecar.formats.profile_consistency import check_consistent

FORMAT_VERSION: Final = 2
_METADATA: Final = "pilotfish_profile"
_FLOATS: Final = ("low", "high", "mean", "variance", "feature_edges", "fourier", "class_prior")
_COUNTS: Final = ("reference", "pooled")
_REBUILD: Final = "rebuild it with `pilotfish profile build`"
_UINT16: Final = np.iinfo(np.uint16).max
_SHORT_HASH: Final = 12


@dataclass(frozen=True, slots=True)
class _Header:
    """The JSON part of a profile of this format version."""

    format_version: int
    model_sha256: str
    inputs: tuple[TensorSpec, ...]
    output: str
    output_kind: OutputKind
    classes: tuple[str, ...]
    feature_names: tuple[str, ...]
    words: tuple[str, ...]
    rows: int
    partition_rows: int
    fourier_rows: int
    validation_rows: int | None
    built_with: dict[str, str]


_HEADER: Final = TypeAdapter(_Header)


def write_profile(profile: SourceProfile, path: Path | str) -> None:
    """Writes a profile; the file appears whole or not at all.

    Raises:
        InvalidError: the profile's parts do not fit each other.
        OSError: the file cannot be written.
    """
    path = Path(path)
    check_consistent(profile, str(path))
    validation = profile.validation
    header = _Header(
        format_version=FORMAT_VERSION,
        model_sha256=profile.model_sha256,
        inputs=profile.inputs,
        output=profile.output,
        output_kind=profile.output_kind,
        classes=profile.classes,
        feature_names=profile.feature_names,
        words=profile.words,
        rows=profile.rows,
        partition_rows=profile.partition_rows,
        fourier_rows=profile.fourier_rows,
        validation_rows=None if validation is None else validation.rows,
        built_with=profile.built_with,
    )
    arrays: dict[str, Array] = {name: getattr(profile, name) for name in _FLOATS}
    arrays |= {name: getattr(profile, name).astype(np.int64) for name in _COUNTS}
    # This array is by far the largest, and no count in it exceeds a partition's rows.
    narrow = np.uint16 if profile.partition_rows <= _UINT16 else np.int32
    arrays["feature_counts"] = profile.feature_counts.astype(narrow)
    arrays["word_counts"] = profile.word_counts.astype(np.int32)
    if validation is not None:
        arrays["validation.confusion"] = validation.confusion.astype(np.int64)
        arrays["validation.confidence_quantiles"] = validation.confidence_quantiles
        arrays["validation.calibration"] = validation.calibration
    # There is one metadata key only, because safetensors writes several keys in no fixed order.
    metadata = {_METADATA: json.dumps(asdict(header), sort_keys=True, separators=(",", ":"))}
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    replace_file(path, safetensors.numpy.save(contiguous, metadata))


def read_profile(path: Path | str, *, model_sha256: str | None = None) -> SourceProfile:
    """Reads a profile and checks that its parts fit each other.

    Args:
        path: path of the file.
        model_sha256: hash of the model that the profile must belong to; None accepts any model.

    Raises:
        InvalidError: the file is missing, damaged, no profile, has another format version, or belongs to
            another model.
    """
    path = Path(path)
    if not path.is_file():
        raise InvalidError(f"{path}: there is no such profile: build it with `pilotfish profile build`")
    try:
        with safe_open(path, framework="numpy") as file:
            header = _read_header(path, (file.metadata() or {}).get(_METADATA))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
    except (SafetensorError, OSError) as error:
        raise InvalidError(
            f"{path}: the file is no profile, or it is damaged ({error}): {_REBUILD}"
        ) from error
    if model_sha256 not in {None, header.model_sha256}:
        raise InvalidError(
            f"{path}: the profile is of model {header.model_sha256[:_SHORT_HASH]}, "
            f"not of {str(model_sha256)[:_SHORT_HASH]}: rebuild it with `pilotfish profile build --model ...`"
        )
    try:
        profile = _assembled(header, arrays)
    except KeyError as error:
        raise InvalidError(f"{path}: the profile has no array {error}: {_REBUILD}") from error
    check_consistent(profile, str(path))
    return profile


def _read_header(path: Path, text: str | None) -> _Header:
    if text is None:
        raise InvalidError(f"{path}: the file is safetensors, but no profile: {_REBUILD}")
    try:
        content = json.loads(text)
        found = content.get("format_version")
        if found != FORMAT_VERSION:
            raise InvalidError(
                f"{path}: the profile has format version {found}; "
                f"this Pilotfish reads {FORMAT_VERSION}: {_REBUILD}"
            )
        return _HEADER.validate_json(text, strict=True)
    except (ValidationError, ValueError, AttributeError, RecursionError) as error:
        raise InvalidError(f"{path}: the profile's description is damaged ({error}): {_REBUILD}") from error


def _assembled(header: _Header, arrays: dict[str, Array]) -> SourceProfile:
    validation = None
    if header.validation_rows is not None:
        validation = Validation(
            rows=header.validation_rows,
            confusion=_compact(arrays["validation.confusion"], header.validation_rows),
            confidence_quantiles=arrays["validation.confidence_quantiles"],
            calibration=arrays["validation.calibration"],
        )
    return SourceProfile(
        model_sha256=header.model_sha256,
        inputs=header.inputs,
        output=header.output,
        output_kind=header.output_kind,
        classes=header.classes,
        feature_names=header.feature_names,
        rows=header.rows,
        partition_rows=header.partition_rows,
        low=arrays["low"],
        high=arrays["high"],
        mean=arrays["mean"],
        variance=arrays["variance"],
        reference=arrays["reference"],
        pooled=arrays["pooled"],
        feature_edges=arrays["feature_edges"],
        # The counts become signed, so that their differences do not wrap around.
        feature_counts=arrays["feature_counts"].astype(np.int32),
        fourier=arrays["fourier"],
        fourier_rows=header.fourier_rows,
        words=header.words,
        word_counts=arrays["word_counts"],
        class_prior=arrays["class_prior"],
        validation=validation,
        built_with=header.built_with,
    )


def _compact(confusion: Array, rows: int) -> Array:
    """Returns the counts in the narrowest signed type; as int64, 1,000 classes take 8 MB a candidate."""
    if len(confusion) <= FEW_CLASSES or confusion.max() > rows:
        return confusion
    return confusion.astype(np.min_scalar_type(-rows))
