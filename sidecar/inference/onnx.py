"""Runs one ONNX model, on the CPU unless another provider is named. Knows nothing about candidates."""

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
_ONLY_FATAL: Final = 4  # a failure is raised as well, so logging it would repeat it


class HasOutputs(Protocol):
    """The part of a model that `class_output` reads."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The outputs, in the model's order."""


class OnnxModel:
    """An ONNX model, opened with onnxruntime.

    If `threads` is 1, the model runs in the caller's thread. One thread at a time may call `run`; concurrent
    calls would exceed the budget of threads.

    Attributes:
        inputs: the inputs in the model's order; their shapes leave out the first axis, the item axis.
        outputs: the outputs, in the same form.
        sha256: hash of the model file, hexadecimal.
        max_items: size of the item axis if the model fixes it, to which `run` pads and splits; None
            otherwise.

    Args:
        path: the model file; files with external data stand beside it.
        threads: intra-op threads.
        options: onnxruntime session configuration entries, which override the defaults.
        provider: name of the execution provider in `PROVIDERS`; the CPU runs only the operators that the
            provider cannot run.

    Raises:
        InvalidError: this onnxruntime has no such provider, the file is missing or broken, or V2 has no
            datatype for a tensor.
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
        """Runs the model on items.

        Args:
            inputs: arrays by the model's input names, each [items, ...]; other arrays are ignored.

        Returns:
            every output by name, each [items, ...]; text is `str` objects.

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
        """Does nothing, because the session ends with the object."""

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
                'export it as a tensor; skl2onnx does so with options={"zipmap": False}'
            )
        # onnxruntime takes bfloat16 inputs but cannot return such outputs, because numpy has no such type.
        if argument.type not in _DATATYPES or (role == "output" and argument.type == "tensor(bfloat16)"):
            raise InvalidError(
                f"{name} is {argument.type}, for which numpy has no type: cast it to float32 in the model"
            )
        if role == "input" and not argument.shape:
            raise InvalidError(
                f"{name} has no item axis in the model: export the model with its shape, items first"
            )
        sizes = tuple(size if isinstance(size, int) else -1 for size in argument.shape[1:])
        return TensorSpec(argument.name, _DATATYPES[argument.type], sizes)

    def _fixed_items(self, arguments: Sequence[Any]) -> int | None:
        if not arguments:
            raise InvalidError(f"{self.path}: the model has no inputs: export a model that has inputs")
        fixed = {argument.shape[0] for argument in arguments if isinstance(argument.shape[0], int)}
        if len(fixed) > 1 or 0 in fixed:
            raise InvalidError(
                f"{self.path}: the inputs fix the first axis at {sorted(fixed)}, not at one size above 0: "
                "export the model with the items on the first axis of every input"
            )
        return next(iter(fixed), None)


def class_output(model: HasOutputs, chosen: str | None = None) -> str:
    """Finds the output that holds class probabilities or logits.

    Args:
        model: the model.
        chosen: the output that the user named; None if the user named none.

    Raises:
        InvalidError: the model has no such output of floats, or not exactly one with two axes.
    """
    floats = [spec for spec in model.outputs if spec.datatype.startswith("FP")]
    fitting = [spec for spec in floats if (len(spec.shape) == 1 if chosen is None else spec.name == chosen)]
    if len(fitting) == 1:
        return fitting[0].name
    listed = ", ".join(f"{spec.name!r} ({spec_text(spec)})" for spec in model.outputs)
    wrong = (
        f"the model has {len(fitting)} outputs of floats with two axes, not exactly one"
        if chosen is None
        else f"the model has no output {chosen!r} of floats"
    )
    raise InvalidError(f"{wrong}; it has {listed}: name the output with the class probabilities")


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
            f"{path}: this onnxruntime has no {provider}; it has {', '.join(available)}: install a build "
            "that has it, or leave `provider` out"
        )
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    settings.log_severity_level = _ONLY_FATAL
    # Many candidates share one process, which must stay small and must not spin while it waits.
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
    # If a provider does not start, onnxruntime goes on with the CPU without an error.
    if provider not in session.get_providers():
        raise InvalidError(f"{path}: {provider} does not start here: see its log, or leave `provider` out")
    return session


def _decoded(array: Array, spec: TensorSpec) -> Array:
    """Turns bytes into str, because onnxruntime would turn bytes into `str(b"x")`."""
    texts = np.empty(array.shape, dtype=np.object_)
    for place, value in np.ndenumerate(array):
        try:
            texts[place] = value if isinstance(value, str) else bytes(value).decode()
        except (TypeError, UnicodeDecodeError) as error:
            raise InvalidError(
                f"input {spec.name!r} takes UTF-8 text, and item {place[0]} is not: {error}"
            ) from error
    return texts


def _value(array: Array, spec: TensorSpec) -> Any:  # noqa: ANN401 - an array or an OrtValue, which has no type
    if spec.datatype != "BF16":
        return array
    return onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(bfloat16_bits(array), _BFLOAT16)
