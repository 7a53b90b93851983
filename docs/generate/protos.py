"""The page of gRPC services and messages, from the proto files and their comments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

from docs.generate.descriptors import comment, files
from docs.generate.markdown import code, sentence, table

# Numbers of the fields of FileDescriptorProto and below it, which paths are made of.
_MESSAGE, _ENUM, _SERVICE, _PART = 4, 5, 6, 2
_TYPES: Final = {
    number: name.removeprefix("TYPE_").lower() for name, number in FieldDescriptorProto.Type.items()
}
_HEAD = """# gRPC services

All services are in the proto package `pilotfish.v1` and answer at the address `serve.grpc`. Beside them
there are `grpc.health.v1.Health` and server reflection, so `grpcurl` needs no proto file. Readiness never
depends on a candidate.

`NOT_FOUND` and `INVALID_ARGUMENT` mean: change the call. `UNAVAILABLE` means: try again.

"""


def page() -> str:
    """The whole page: services first, then what they take and give."""
    parts = [_HEAD]
    for each in (_services, _messages, _enums):
        for file in files():
            parts += each(file)
    return "\n".join(parts)


def _services(file: FileDescriptorProto) -> Iterator[str]:
    for place, service in enumerate(file.service):
        path = (_SERVICE, place)
        yield f"## {service.name}\n\n{comment(file, path)}\n"
        yield table(
            ("method", "request", "response", "what it does"),
            (
                (
                    code(method.name),
                    _stream(method.input_type, streams=method.client_streaming),
                    _stream(method.output_type, streams=method.server_streaming),
                    sentence(comment(file, (*path, _PART, number))),
                )
                for number, method in enumerate(service.method)
            ),
        )


def _stream(name: str, *, streams: bool) -> str:
    return f"{'stream of ' if streams else ''}{_linked(name)}"


def _messages(file: FileDescriptorProto) -> Iterator[str]:
    for place, message in enumerate(file.message_type):
        path = (_MESSAGE, place)
        yield f"## {message.name}\n\n{comment(file, path)}\n"
        maps = {nested.name: nested for nested in message.nested_type if nested.options.map_entry}
        rows = []
        for number, field in enumerate(message.field):
            entry = maps.get(_short(field.type_name).rpartition(".")[2])
            if entry is not None:
                kind = f"map of {_type(entry.field[0])} to {_type(entry.field[1])}"
            else:
                kind = _type(field)
                if field.label == FieldDescriptorProto.LABEL_REPEATED:
                    kind = f"list of {kind}"
                elif field.proto3_optional:
                    kind = f"{kind}, may be absent"
            rows.append((code(field.name), kind, sentence(comment(file, (*path, _PART, number)))))
        if rows:
            yield table(("field", "type", "meaning"), rows)
        else:
            yield "This message has no fields.\n"


def _type(field: FieldDescriptorProto) -> str:
    return _linked(field.type_name) if field.type_name else code(_TYPES[field.type])


def _linked(name: str) -> str:
    short = _short(name)
    # What is not of this package has no heading here.
    return code(short) if "." in short else f"[{short}](#{short.lower()})"


def _short(name: str) -> str:
    return name.removeprefix(".").removeprefix("pilotfish.v1.")


def _enums(file: FileDescriptorProto) -> Iterator[str]:
    for place, enum in enumerate(file.enum_type):
        path = (_ENUM, place)
        yield f"## {enum.name}\n\n{comment(file, path)}\n"
        yield table(
            ("value", "meaning"),
            (
                (code(value.name), sentence(comment(file, (*path, _PART, number))))
                for number, value in enumerate(enum.value)
            ),
        )
