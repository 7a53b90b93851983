from hypothesis import assume, given
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2

from sidecar.serving.capture.core.intake import Intake
from sidecar.serving.capture.core.watchlist import Watchlist


class Nowhere:
    def offer(self, instruction: bytes) -> bool:
        raise AssertionError(instruction)


def intake(name: str) -> Intake:
    return Intake(
        name,
        fraction=1,
        max_per_second=1,
        max_item_bytes=1,
        sink=Nowhere(),
        uniform=lambda: 0.0,
        clock=lambda: 0.0,
    )


NAMES = st.text(min_size=1, max_size=400)


@given(watched=st.lists(NAMES, min_size=1, max_size=4, unique=True), asked=NAMES, cut=st.integers(0, 900))
def test_finds_what_protobuf_wrote(watched: list[str], asked: str, cut: int) -> None:
    intakes = {name: intake(name) for name in watched}
    watchlist = Watchlist(intakes)
    raw = service_pb2.ModelInferRequest(model_name=asked, id="behind").SerializeToString()
    assert watchlist.find(raw) == (intakes.get(asked), False)
    assert watchlist.longest_bytes >= max(len(name) for name in watched)
    found, undecided = watchlist.find(raw[:cut])
    assert found in {None, intakes.get(asked)}
    if asked in intakes:
        assert found is intakes[asked] or undecided


@given(name=NAMES, other=NAMES)
def test_a_replaced_list_forgets(name: str, other: str) -> None:
    assume(name != other)
    watchlist = Watchlist({name: intake(name)})
    now = intake(other)
    watchlist.watch({other: now})
    for asked, found in ((name, None), (other, now)):
        raw = service_pb2.ModelInferRequest(model_name=asked).SerializeToString()
        assert watchlist.find(raw)[0] is found


def test_a_request_written_otherwise_belongs_to_nobody() -> None:
    watchlist = Watchlist({"m": intake("m")})
    name_last = service_pb2.ModelInferRequest(id="x").SerializeToString() + b"\x0a\x01m"
    assert watchlist.find(name_last) == (None, False)
    assert Watchlist({}).find(b"") == (None, False)


def test_the_fields_to_read_are_those_that_the_intakes_name_segments_by() -> None:
    one, other = intake("a"), intake("b")
    one.segment_key = "x-region"
    watchlist = Watchlist({"a": one, "b": other})
    assert watchlist.segment_keys == {b"x-region"}
    assert watchlist.fields == {b":path", b"grpc-encoding", b"x-region"}
    one.segment_key = ""
    watchlist.watch({"a": one, "b": other})
    assert watchlist.segment_keys == frozenset()
