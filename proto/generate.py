"""Generates the Python code beside the .proto files; with --check says what would change."""

from __future__ import annotations

import sys
import tempfile
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

HERE = Path(__file__).parent
PLUGINS = Path(sys.executable).parent
SOURCES = sorted(path.relative_to(HERE) for path in HERE.rglob("*.proto"))


def generate(out: Path) -> None:
    """Writes the generated modules and their stubs under `out`."""
    for name in SOURCES:
        text = (HERE / name).read_text()
        outputs = [f"--python_out={out}", f"--mypy_out={out}"]
        outputs.append(f"--plugin=protoc-gen-mypy={PLUGINS / 'protoc-gen-mypy'}")
        if "\nservice " in text:
            outputs += [f"--grpc_python_out={out}", f"--mypy_grpc_out={out}"]
            outputs.append(f"--plugin=protoc-gen-mypy_grpc={PLUGINS / 'protoc-gen-mypy_grpc'}")
        include = resources.files("grpc_tools") / "_proto"
        if protoc.main(["protoc", f"-I{HERE}", f"-I{include}", *outputs, str(HERE / name)]):
            raise SystemExit(f"protoc refused {name}")


def main() -> None:
    """Regenerates in place, or fails naming every file that differs."""
    if "--check" not in sys.argv:
        generate(HERE)
        return
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        fresh = {path.relative_to(folder): path.read_bytes() for path in Path(folder).rglob("*_pb2*")}
    committed = {path.relative_to(HERE): path.read_bytes() for path in HERE.rglob("*_pb2*.py*")}
    committed = {name: data for name, data in committed.items() if "__pycache__" not in name.parts}
    drifted = [str(name) for name in sorted(fresh | committed) if fresh.get(name) != committed.get(name)]
    if drifted:
        raise SystemExit(f"generated code differs from proto/: {', '.join(drifted)}; run `make proto`")


if __name__ == "__main__":
    main()
