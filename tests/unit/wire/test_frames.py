import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.wire.frames import FrameReader, frame


@given(st.lists(st.binary(max_size=300), max_size=10), st.lists(st.integers(1, 200), min_size=1))
def test_messages_survive_any_chunking(messages: list[bytes], sizes: list[int]) -> None:
    stream = b"".join(frame(message) for message in messages)
    read_end, write_end = os.pipe()
    reader = FrameReader(read_end)
    got: list[bytes] = []
    try:
        turn = 0
        while stream:
            size = sizes[turn % len(sizes)]
            os.write(write_end, stream[:size])
            stream, turn = stream[size:], turn + 1
            assert reader.wait(1.0)
            got += reader.read()
        assert got == messages
        assert not reader.wait(0.0)
        os.close(write_end)
        with pytest.raises(EOFError):
            reader.read()
    finally:
        os.close(read_end)
