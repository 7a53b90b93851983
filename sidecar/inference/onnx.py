"""Runs one ONNX model, on the processor unless told otherwise. Knows nothing about candidates."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Protocol

import numpy as np
import onnxruntime

from sidecar.core.errors import InvalidError
from sidecar.core.providers import PROVIDERS
from sidecar.core.tensors import Array, TensorSpec
from sidecar.inference.bfloat16 import bfloat16_bits
from sidecar.inference.feeding import answered, fitted, spec_text

_DATATYPES: Final = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(bfloat16)": "BF16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": "BYTES",
}
_BFLOAT16: Final = 16  # onnx.TensorProto.BFLOAT16
_ONLY_FATAL: Final = 4  # what fails is raised as well; it need not be logged twice


class HasOutputs(Protocol):
    """A model, as `class_output` sees it."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The outputs in the model's order."""


class OnnxModel:
    """An ONNX model, opened with onnxruntime.

    The model runs in the caller's thread where `threads` is 1. Not safe for concurrent `run` with a
    shared budget of threads; one thread at a time is what shadowing needs.

    Attributes:
        inputs: in the model's order, without the item axis, which is the first.
        outputs: the same.
        sha256: of the model file, hexadecimal.
        max_items: the item axis where the model fixes it; `run` then pads and splits to this size.

    Args:
        path: the model file; external-data files stand beside it.
        threads: intra-op threads.
        options: onnxruntime session configuration entries, over the defaults.
        provider: what runs it, of `PROVIDERS`; nothing else does, but the processor what that cannot.

    Raises:
        InvalidError: this onnxruntime has no such provider, the file is missing or broken, or a tensor is of
            a kind that V2 has no name for.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        threads: int = 1,
        options: Mapping[str, str] = MappingProxyType({}),
        provider: str = "cpu",
    ) -> None:
        self.path = Path(path)
        self.sha256 = _file_sha256(self.path)
        self._session = _open(self.path, threads, options, PROVIDERS[provider])
        arguments = self._session.get_inputs()
        self.inputs = tuple(self._spec("input", argument) for argument in arguments)
        self.outputs = tuple(self._spec("output", argument) for argument in self._session.get_outputs())
        self.max_items = self._fixed_items(arguments)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Answers items.

        Args:
            inputs: arrays by the model's input names, each [items, ...]; others are ignored.

        Returns:
            Every output by name, each [items, ...]; text as `str` objects.

        Raises:
            InvalidError: an input is missing or does not fit, or the model fails on these values.
        """
        feed = fitted(inputs, self.inputs, str(self.path))
        for spec in self.inputs:
            if spec.datatype == "BYTES":
                feed[spec.name] = _decoded(feed[spec.name], spec)
        return answered(
            feed, self._answer, most=self.max_items, fixed=self.max_items is not None, where=str(self.path)
        )

    def close(self) -> None:
        """Lets nothing go: the session ends with the object."""

    def _answer(self, feed: dict[str, Array]) -> dict[str, Array]:
        values = {spec.name: _value(feed[spec.name], spec) for spec in self.inputs}
        names = [spec.name for spec in self.outputs]
        try:
            return dict(zip(names, self._session.run(names, values), strict=True))
        except Exception as error:
            items = len(next(iter(feed.values())))
            raise InvalidError(f"{self.path}: the model fails on {items} items: {error}") from error

    def _spec(self, role: str, argument: Any) -> TensorSpec:  # noqa: ANN401 - onnxruntime has no types
        name = f"{self.path}: {role} {argument.name!r}"
        if argument.type.startswith(("seq", "map", "optional")):
            raise InvalidError(
                f"{name} is {argument.type}, not a tensor: "
                'export it as one; for skl2onnx with options={"zipmap": False}'
            )
        # onnxruntime hands bfloat16 in, but not out: numpy has no such type.
        if argument.type not in _DATATYPES or (role == "output" and argument.type == "tensor(bfloat16)"):
            raise InvalidError(f"{name} is {argument.type}, which numpy has no type for: cast it to float32")
        if role == "input" and not argument.shape:
            raise InvalidError(f"{name} has no item axis in the model: export it with its shape, items first")
        sizes = tuple(size if isinstance(size, int) else -1 for size in argument.shape[1:])
        return TensorSpec(argument.name, _DATATYPES[argument.type], sizes)

    def _fixed_items(self, arguments: Sequence[Any]) -> int | None:
        if not arguments:
            raise InvalidError(f"{self.path}: the model has no inputs")
        fixed = {argument.shape[0] for argument in arguments if isinstance(argument.shape[0], int)}
        if len(fixed) > 1 or 0 in fixed:
            raise InvalidError(
                f"{self.path}: the inputs fix different first axes {sorted(fixed)}: "
                "export them with the items first"
            )
        return next(iter(fixed), None)


def class_output(model: HasOutputs, chosen: str | None = None) -> str:
    """Finds the output that holds class probabilities or logits.

    Args:
        model: the model.
        chosen: the output that the user named, if any.

    Raises:
        InvalidError: there is no such output of floats, or more than one with two axes.
    """
    floats = [spec for spec in model.outputs if spec.datatype.startswith("FP")]
    fitting = [spec for spec in floats if (len(spec.shape) == 1 if chosen is None else spec.name == chosen)]
    if len(fitting) == 1:
        return fitting[0].name
    listed = ", ".join(f"{spec.name!r} ({spec_text(spec)})" for spec in model.outputs)
    wanted = (
        "exactly one output of floats with two axes" if chosen is None else f"no output {chosen!r} of floats"
    )
    verb = "needed is" if chosen is None else "there is"
    raise InvalidError(f"{verb} {wanted}; the model has {listed}: name the one with class probabilities")


def _file_sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InvalidError(f"{path}: the model cannot be read ({error.strerror}): check the path") from error


def _open(path: Path, threads: int, options: Mapping[str, str], provider: str) -> Any:  # noqa: ANN401 - onnxruntime has no types
    available = onnxruntime.get_available_providers()
    if provider not in available:
        raise InvalidError(
            f"{path}: this onnxruntime has no {provider}; it has {', '.join(available)}: install one that "
            "has it, or leave `provider` out"
        )
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    settings.log_severity_level = _ONLY_FATAL
    # Many candidates share one process that must stay small and must not burn a core while waiting.
    settings.enable_cpu_mem_arena = False
    try:
        for key, value in ({"session.intra_op.allow_spinning": "0"} | dict(options)).items():
            settings.add_session_config_entry(key, value)
        session = onnxruntime.InferenceSession(str(path), settings, providers=[provider])
    except Exception as error:
        said = " ".join(str(error).split())
        mend = (
            "install the locale en_US.UTF-8 on this host, or export the model without lower-casing"
            if "locale" in said
            else "export it again"
        )
        raise InvalidError(
            f"{path}: onnxruntime {onnxruntime.__version__} cannot open it as an ONNX model ({said}): {mend}"
        ) from error
    # onnxruntime goes on with the processor where a provider does not come up.
    if provider not in session.get_providers():
        raise InvalidError(f"{path}: {provider} does not come up here; see its log, or leave `provider` out")
    return session


def _decoded(array: Array, spec: TensorSpec) -> Array:
    """Turns bytes to str, which is what onnxruntime takes; it would take `str(b"x")` for bytes."""
    texts = np.empty(array.shape, dtype=np.object_)
    for place, value in np.ndenumerate(array):
        try:
            texts[place] = value if isinstance(value, str) else bytes(value).decode()
        except (TypeError, UnicodeDecodeError) as error:
            raise InvalidError(
                f"input {spec.name!r} takes UTF-8 text; item {place[0]} is not: {error}"
            ) from error
    return texts


def _value(array: Array, spec: TensorSpec) -> Any:  # noqa: ANN401 - an array or an OrtValue, which has no type
    if spec.datatype != "BF16":
        return array
    return onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(bfloat16_bits(array), _BFLOAT16)
