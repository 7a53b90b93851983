"""The public proto files as protoc reads them, comments too."""

from __future__ import annotations

import functools
import tempfile
from importlib import resources
from pathlib import Path
from typing import Final

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from grpc_tools import protoc

_PROTO: Final = Path(__file__).parents[2] / "proto"
_PUBLIC: Final = "pilotfish/v1"


@functools.cache
def files() -> tuple[FileDescriptorProto, ...]:
    """The files of `pilotfish.v1`, by name.

    Raises:
        ValueError: protoc refuses a file; it has printed why.
    """
    names = sorted(str(path.relative_to(_PROTO)) for path in (_PROTO / _PUBLIC).glob("*.proto"))
    known = resources.files("grpc_tools") / "_proto"
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "set"
        options = [f"-I{_PROTO}", f"-I{known}", "--include_source_info", f"--descriptor_set_out={out}"]
        if protoc.main(["protoc", *options, *names]):
            raise ValueError(f"protoc refuses {', '.join(names)}")
        return tuple(FileDescriptorSet.FromString(out.read_bytes()).file)


def comment(file: FileDescriptorProto, path: tuple[int, ...]) -> str:
    """The comment above an element.

    Args:
        file: where it stands.
        path: of the element, as in `SourceCodeInfo.Location.path`.

    Returns:
        the comment on one line; empty where there is none.
    """
    return _comments(file.name).get(path, "")


@functools.cache
def _comments(name: str) -> dict[tuple[int, ...], str]:
    file = next(file for file in files() if file.name == name)
    return {
        tuple(place.path): " ".join(place.leading_comments.split())
        for place in file.source_code_info.location
    }
