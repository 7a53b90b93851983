"""The program of one observation of an ONNX model: reads a job, runs it, prints what was observed."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime

from sidecar.core.providers import PROVIDERS
from sidecar.core.tensors import Array
from sidecar.tools.measuring.energy import Energy, counters
from sidecar.tools.measuring.load import OtherPrograms
from sidecar.tools.measuring.observation import Effort, Observation, timings

_ONLY_FATAL: Final = 4  # what fails is raised as well
_KIB: Final = 1024
_LEVELS: Final = {
    "disable": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
}
_MODES: Final = {
    "sequential": onnxruntime.ExecutionMode.ORT_SEQUENTIAL,
    "parallel": onnxruntime.ExecutionMode.ORT_PARALLEL,
}


def observe(
    model: Path, inputs: Mapping[str, Array], configuration: Mapping[str, Any], effort: Effort
) -> Observation:
    """Opens a model in a configuration and runs it one request after the other.

    Peak memory is what opening and running the model added to this process at its highest point.

    Args:
        model: the file.
        inputs: arrays by input name, each [batch_size or more, ...].
        configuration: a value for every option of `sidecar.estimation.performance.options.ONNX`.
        effort: how much is run.

    Raises:
        RuntimeError: the execution provider is not in this onnxruntime.
        Exception: whatever onnxruntime raises.
    """
    items = int(configuration["batch_size"])
    feed = {name: _text(array[:items]) for name, array in inputs.items()}
    before_kib = _status_kib("VmRSS")
    session = _open(model, configuration)
    names = [output.name for output in session.get_outputs()]
    began = time.perf_counter()
    while time.perf_counter() - began < effort.warm_up_s:
        session.run(names, feed)
    latencies_s: list[float] = []
    energy = Energy(counters())
    others = OtherPrograms()
    began = time.perf_counter()
    while len(latencies_s) < effort.requests or time.perf_counter() - began < effort.seconds:
        start = time.perf_counter()
        session.run(names, feed)
        latencies_s.append(time.perf_counter() - start)
    elapsed_s = time.perf_counter() - began
    cores, used_j = others.cores(), energy.used_j()
    metrics = timings(latencies_s, elapsed_s, items)
    if used_j:
        metrics["energy_j"] = used_j / len(latencies_s)
    metrics["memory_bytes"] = float(max(_status_kib("VmHWM") - before_kib, 1) * _KIB)
    return Observation(metrics, cores)


def main() -> None:
    """Reads a job from the standard input; `sidecar.tools.measuring.onnx` writes it."""
    # The answer has a descriptor of its own: whatever a library prints must not get into it.
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    job = json.load(sys.stdin)
    with np.load(job["inputs"], allow_pickle=False) as file:
        inputs = dict(file)
    try:
        seen = observe(Path(job["model"]), inputs, job["configuration"], Effort(**job["effort"]))
    except Exception as error:  # noqa: BLE001 - whatever fails is this configuration's failure, told in one line
        sys.exit(" ".join(str(error).split()))
    json.dump(asdict(seen), answer)
    answer.close()


def _open(model: Path, configuration: Mapping[str, Any]) -> Any:  # noqa: ANN401 - onnxruntime has no types
    provider = PROVIDERS[configuration["provider"]]
    available = onnxruntime.get_available_providers()
    if provider not in available:
        raise RuntimeError(f"this onnxruntime has no {provider}; it has {', '.join(available)}")
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = _ONLY_FATAL
    settings.intra_op_num_threads = configuration["intra_op_threads"]
    settings.inter_op_num_threads = configuration["inter_op_threads"]
    settings.graph_optimization_level = _LEVELS[configuration["graph_optimization"]]
    settings.execution_mode = _MODES[configuration["execution_mode"]]
    settings.enable_cpu_mem_arena = configuration["memory_arena"]
    settings.enable_mem_pattern = configuration["memory_pattern"]
    spinning = str(int(configuration["spinning"]))
    for pool in ("intra_op", "inter_op"):
        settings.add_session_config_entry(f"session.{pool}.allow_spinning", spinning)
    return onnxruntime.InferenceSession(str(model), settings, providers=[provider])


def _text(array: Array) -> Array:
    """Fixed-width characters as the objects that onnxruntime takes."""
    return array.astype(object) if array.dtype.kind == "U" else array


def _status_kib(key: str) -> int:
    """A line of /proc/self/status; getrusage would also count the process that started this one."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1])


if __name__ == "__main__":
    main()
