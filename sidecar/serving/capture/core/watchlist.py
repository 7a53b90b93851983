"""Which model names belong to which intake: by name, or by the first bytes of a serialised request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sidecar.serving.capture.core.intake import Intake

PATH: Final = b":path"
ENCODING: Final = b"grpc-encoding"
_MODEL_NAME_TAG: Final = b"\x0a"
_VARINT_MORE: Final = 0x80


class Watchlist:
    """Finds the intake of a ModelInferRequest without decoding it.

    Attributes:
        named: the intakes by model name.
        fields: names of the header fields of a request that are read; a new object when they change.
        unwatched_calls: calls for models that nobody watches.
        unreadable_calls: calls whose model could not be told.
        waiting_calls: calls that were let go because their sender would have waited for an answer.
    """

    def __init__(self, intakes: Mapping[str, Intake]) -> None:
        self.named: Mapping[str, Intake] = {}
        self._openings: tuple[tuple[bytes, Intake], ...] = ()
        self.longest_bytes = 0
        self.segment_keys: frozenset[bytes] = frozenset()
        self.fields: frozenset[bytes] = frozenset()
        self.unwatched_calls = 0
        self.unreadable_calls = 0
        self.waiting_calls = 0
        self.watch(intakes)

    def watch(self, intakes: Mapping[str, Intake]) -> None:
        """Replaces what is watched, by model name; calls under way keep their intake."""
        self.named = dict(intakes)
        self._openings = tuple((_opening(name), intake) for name, intake in intakes.items())
        self.longest_bytes = max((len(opening) for opening, _ in self._openings), default=1)
        self.segment_keys = frozenset(intake.segment_key.encode() for intake in intakes.values()) - {b""}
        self.fields = self.segment_keys | {PATH, ENCODING}

    def find(self, start: bytes) -> tuple[Intake | None, bool]:
        """Looks up a request.

        Args:
            start: the request's first bytes. Serialisers write fields in order, so that the model name
                comes first; a request that is written otherwise belongs to no intake.

        Returns:
            The intake if there is one, and whether more bytes could still name one.
        """
        for opening, intake in self._openings:
            if start.startswith(opening):
                return intake, False
        return None, any(opening.startswith(start) for opening, _ in self._openings)


def _opening(model_name: str) -> bytes:
    """The field `model_name` as protobuf writes it: tag, length, text."""
    text = model_name.encode()
    length, rest = bytearray(), len(text)
    while rest >= _VARINT_MORE:
        length.append(rest % _VARINT_MORE | _VARINT_MORE)
        rest //= _VARINT_MORE
    length.append(rest)
    return _MODEL_NAME_TAG + bytes(length) + text
