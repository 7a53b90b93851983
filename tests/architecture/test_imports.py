"""Each process imports what it runs: the memory and the start of every pod hang on it."""

import json
import subprocess
import sys

import pytest

HEAVY = {"opentelemetry", "pyarrow", "pydantic_settings", "rich", "sklearn", "tritonclient"}
NOT_IN = {
    "sidecar.serving.serve": {*HEAVY, "onnxruntime"},
    "sidecar.scoring.__main__": {*HEAVY, "grpc", "prometheus_client", "starlette", "uvicorn", "yaml"},
}


@pytest.mark.parametrize("module", NOT_IN)
def test_a_process_imports_no_library_that_others_need(module: str) -> None:
    code = f"import sidecar.tools.cli, {module}, json, sys; print(json.dumps(sorted(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own code
    imported = {name.partition(".")[0] for name in json.loads(told.stdout)}
    assert {"sidecar", "structlog"} <= imported
    assert not imported & NOT_IN[module]


def test_every_command_is_found_where_the_command_line_says() -> None:
    code = "from sidecar.tools.cli import app; print(*(app[name].name[0] for name in app))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own code
    assert {"serve", "check", "rank", "demo", "measures", "profile", "perf"} <= set(told.stdout.split())
