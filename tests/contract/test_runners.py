"""Whatever runs a model, the same inputs give the same answers and the same faults the same errors."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

import grpc
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from sidecar.core.errors import InvalidError, PilotfishError, UnavailableError
from sidecar.core.tensors import Array, TensorSpec
from sidecar.inference.onnx import OnnxModel
from sidecar.scoring.runners.model import Model
from sidecar.scoring.runners.v2.model import V2Model
from sidecar.wire.v2.server import Terms, Tls, V2Server
from tests.support.model_server import ModelServer, V2Message
from tests.support.models import DigitsModels, TextModel

Open: TypeAlias = Callable[[Path, str], Model]
TERMS = Terms(deadline_s=10.0, per_second=1e6)


class Runners:
    """Opens models in one way, and closes all that it opened."""

    def __init__(self) -> None:
        self.servers: list[ModelServer] = []
        self.models: list[Model] = []

    def here(self, path: Path, _: str) -> Model:
        self.models.append(OnnxModel(path))
        return self.models[-1]

    def served(
        self,
        path: Path,
        output: str,
        terms: Terms = TERMS,
        *,
        shared_memory: bool = False,
        **traits: object,
    ) -> V2Model:
        model = OnnxModel(path)
        server = ModelServer(model)
        for name, value in traits.items():
            setattr(server, name, value)
        server.start()
        self.servers.append(server)
        way = V2Server(server.address, terms)
        opened = V2Model(
            way,
            "m",
            "",
            inputs=model.inputs,
            outputs={output: output},
            shared_memory=shared_memory,
        )
        self.models.append(opened)
        return opened

    def behind_triton(self, path: Path, output: str) -> Model:
        """Raw contents, batches up to a maximum."""
        return self.served(path, output, takes=4)

    def sharing_memory(self, path: Path, output: str) -> Model:
        """Inputs in shared memory."""
        return self.served(path, output, takes=4, shared={}, shared_memory=True)

    def behind_mlserver(self, path: Path, output: str) -> Model:
        """Typed contents, metadata without inputs, no configuration."""
        return self.served(path, output, typed=True, inputs=(), config=None)

    def behind_kserve(self, path: Path, output: str) -> Model:
        """Nothing but inference."""
        return self.served(path, output, inputs=None, config=None)

    def close(self) -> None:
        for model in self.models:
            model.close()
            model.close()
        for server in self.servers:
            server.open.set()
            server.stop()


@pytest.fixture
def runners() -> Iterator[Runners]:
    made = Runners()
    yield made
    made.close()


@pytest.fixture(params=["here", "behind_triton", "sharing_memory", "behind_mlserver", "behind_kserve"])
def opened(runners: Runners, request: pytest.FixtureRequest) -> Open:
    way: Open = getattr(runners, request.param)
    return way


def doubling(path: Path, shape: list[int | None]) -> Path:
    """A model that answers y = 2 x."""
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "g", tensors[:1], tensors[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, path)
    return path


def test_answers_are_those_of_the_model(opened: Open, digits_models: DigitsModels) -> None:
    images = digits_models.validation["upright"][:50]
    model = opened(digits_models.paths["upright"], "probabilities")
    assert model.inputs == (TensorSpec("X", "FP32", (64,)),)
    for given in (images, images.astype(np.float64), images.astype(np.int16), images[:1]):
        answers = model.run({"X": given, "unknown": images})["probabilities"]
        expected = digits_models.estimators["upright"].predict_proba(given)
        np.testing.assert_allclose(answers, expected, atol=1e-5)


def test_text_goes_as_bytes_or_str(opened: Open, text_model: TextModel) -> None:
    model = opened(text_model.path, "probabilities")
    as_str = np.array(text_model.texts, dtype=object)[:, None]
    as_bytes = np.array([text.encode() for text in text_model.texts], dtype=object)[:, None]
    expected = OnnxModel(text_model.path).run({"text": as_str})["probabilities"]
    for texts in (as_str, as_bytes):
        np.testing.assert_array_equal(model.run({"text": texts})["probabilities"], expected)


def test_outputs_of_text_come_as_text(opened: Open, text_model: TextModel) -> None:
    texts = np.array(text_model.texts, dtype=object)[:, None]
    labels = opened(text_model.path, "label").run({"text": texts})["label"]
    found = [value.decode() if isinstance(value, bytes) else value for value in labels.ravel()]
    assert found == list(text_model.labels)


def test_inputs_that_do_not_fit_are_refused(opened: Open, tmp_path: Path) -> None:
    model = opened(doubling(tmp_path / "m.onnx", [None, 2]), "y")
    for inputs, message in (
        ({"z": np.ones((1, 2))}, r"input 'x' \(FP32 \[items, 2\]\) is missing"),
        ({"x": np.ones((1, 3))}, r"'x' takes FP32 \[items, 2\]; the request has float64 \[1, 3\]"),
        ({"x": np.ones(2)}, r"'x' takes FP32 \[items, 2\]"),
        ({"x": np.array([["a", "b"]])}, "'x' takes FP32; <U1 cannot become that"),
        ({"x": np.ones((0, 2))}, "at least one"),
    ):
        with pytest.raises(InvalidError, match=message):
            model.run(inputs)
    np.testing.assert_array_equal(model.run({"x": np.ones((1, 2))})["y"], [[2, 2]])


def test_ten_megabytes_of_answers(opened: Open, tmp_path: Path) -> None:
    model = opened(doubling(tmp_path / "m.onnx", [None, 320_000]), "y")
    values = np.random.default_rng(0).normal(size=(8, 320_000)).astype(np.float32)
    np.testing.assert_array_equal(model.run({"x": values})["y"], 2 * values)


def test_nothing_is_left_when_models_are_closed(opened: Open, runners: Runners, tmp_path: Path) -> None:
    path = doubling(tmp_path / "m.onnx", [None, 2])

    def use() -> tuple[int, int]:
        model = opened(path, "y")
        model.run({"x": np.ones((1, 2))})
        runners.close()
        runners.models.clear()
        runners.servers.clear()
        return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

    use()  # gRPC keeps what it needs for itself
    before = use()
    for _ in range(3):
        use()
    wait_for(lambda: use() <= before)


@pytest.mark.parametrize("items", [1, 4, 6])
def test_a_model_that_takes_just_so_many_items_is_given_as_many(
    runners: Runners, tmp_path: Path, items: int
) -> None:
    path = doubling(tmp_path / "m.onnx", [4, 2])
    model = runners.served(path, "y")
    server = runners.servers[0]
    told = server.ModelMetadata

    def fixed(request: V2Message, context: grpc.ServicerContext) -> V2Message:
        metadata = told(request, context)
        metadata.inputs[0].shape[0] = 4
        return metadata

    server.stop()
    server.ModelMetadata = fixed  # type: ignore[method-assign]
    server.model = OnnxModel(doubling(tmp_path / "any.onnx", [None, 2]))
    server.takes = 4
    server.start()
    values = np.arange(2 * items, dtype=np.float32).reshape(items, 2)
    np.testing.assert_array_equal(model.run({"x": values})["y"], 2 * values)


def test_a_slow_server_fails_at_the_deadline(runners: Runners, tmp_path: Path) -> None:
    model = runners.served(
        doubling(tmp_path / "m.onnx", [None, 2]), "y", Terms(deadline_s=0.2, per_second=1e6)
    )
    model.run({"x": np.ones((1, 2))})
    runners.servers[0].open.clear()
    began = time.monotonic()
    with pytest.raises(UnavailableError, match="DEADLINE_EXCEEDED"):
        model.run({"x": np.ones((1, 2))})
    assert time.monotonic() - began < 2
    assert runners.servers[0].calls["ModelInfer"] == 2  # a slow server is not asked a second time


def test_closing_ends_what_is_under_way(runners: Runners, tmp_path: Path) -> None:
    model = runners.served(doubling(tmp_path / "m.onnx", [None, 2]), "y")
    runners.servers[0].open.clear()
    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(model.run, {"x": np.ones((1, 2))})
        wait_for(lambda: runners.servers[0].calls["ModelInfer"] == 1)
        model.close()
        with pytest.raises(PilotfishError):
            asked.result(5)
        with pytest.raises(UnavailableError, match="closed"):
            model.run({"x": np.ones((1, 2))})


def test_a_server_that_dies_and_comes_back_as_another(runners: Runners, tmp_path: Path) -> None:
    model = runners.served(doubling(tmp_path / "m.onnx", [None, 2]), "y")
    values = np.ones((8, 2), dtype=np.float32)
    model.run({"x": values})
    server = runners.servers[0]
    server.stop()
    with pytest.raises(UnavailableError, match=f"{server.address}: UNAVAILABLE"):
        model.run({"x": values})
    server.takes = 3  # another configuration of the model
    server.start()

    def answers() -> bool:
        try:
            np.testing.assert_array_equal(model.run({"x": values})["y"], 2 * values)
        except UnavailableError:
            return False
        return True

    wait_for(answers)
    assert server.calls["ModelInfer"] == 1 + 3


def test_only_a_server_that_was_not_reached_is_asked_again(runners: Runners, tmp_path: Path) -> None:
    model = runners.served(doubling(tmp_path / "m.onnx", [None, 2]), "y")
    server = runners.servers[0]
    for code, kind, calls in (
        (grpc.StatusCode.UNAVAILABLE, UnavailableError, 3),
        (grpc.StatusCode.INVALID_ARGUMENT, InvalidError, 1),
        (grpc.StatusCode.INTERNAL, InvalidError, 1),
        (grpc.StatusCode.NOT_FOUND, InvalidError, 1),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, InvalidError, 1),
    ):
        server.fault = code, "it says so"
        server.calls.clear()
        with pytest.raises(kind, match=f"{code.name}: it says so"):
            model.run({"x": np.ones((1, 2))})
        assert server.calls["ModelInfer"] == calls


def _reshaped(response: V2Message) -> None:
    response.outputs[0].shape[0] = 7


def _transposed(response: V2Message) -> None:
    response.outputs[0].shape[:] = [2, 3]


def _shortened(response: V2Message) -> None:
    response.raw_output_contents[0] = response.raw_output_contents[0][:-1]


def _huge(response: V2Message) -> None:
    response.outputs[0].shape[:] = [3, 1 << 60]


def _renamed(response: V2Message) -> None:
    response.outputs[0].name = "z"


def _emptied(response: V2Message) -> None:
    response.Clear()


def _in_shared_memory(response: V2Message) -> None:
    response.outputs[0].parameters["shared_memory_region"].string_param = "r"


@pytest.mark.parametrize(
    ("lie", "message"),
    [
        (_reshaped, "takes 56 bytes, not 24"),
        (_transposed, r"shape \[2, 3\] for 3 items"),
        (_shortened, "24 bytes, not 23"),
        (_huge, "bytes, not 24"),
        (_renamed, r"answers with \['z'\], but not with \['y'\].*v2.output"),
        (_emptied, r"answers with \[\]"),
        (_in_shared_memory, "shared memory"),
    ],
)
def test_an_answer_that_makes_no_sense_is_refused(
    runners: Runners, tmp_path: Path, lie: Callable[[V2Message], None], message: str
) -> None:
    model = runners.served(doubling(tmp_path / "m.onnx", [None, 2]), "y", lie=lie)
    with pytest.raises(InvalidError, match=message):
        model.run({"x": np.ones((3, 2))})


def test_an_answer_beyond_all_bounds_is_refused(
    runners: Runners, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "sidecar.wire.v2.server._OPTIONS", (("grpc.max_receive_message_length", 1000),), raising=True
    )
    model = runners.served(doubling(tmp_path / "m.onnx", [None, 2]), "y")
    with pytest.raises(InvalidError, match="RESOURCE_EXHAUSTED"):
        model.run({"x": np.ones((500, 2))})


def test_a_model_that_streams_is_refused(runners: Runners, tmp_path: Path) -> None:
    model = runners.served(
        doubling(tmp_path / "m.onnx", [None, 2]),
        "y",
        config={"model_transaction_policy": {"decoupled": True}},
    )
    with pytest.raises(InvalidError, match=r"is decoupled.*decoupled: false"):
        model.run({"x": np.ones((1, 2))})
    assert not runners.servers[0].calls["ModelInfer"]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (
            (TensorSpec("a", "FP32", (2,)), TensorSpec("b", "FP32", (2,))),
            r"takes \['a', 'b'\], but the profile",
        ),
        ((TensorSpec("x", "FP32", (3,)),), r"is FP32 \[-1, 3\], but the profile has FP32 \[items, 2\]"),
        ((TensorSpec("x", "FP24", (2,)),), "FP24, which is no V2 datatype"),
        ((TensorSpec("x", "INT8", (2,)),), "'x' takes INT8; float64 cannot become that"),
    ],
)
def test_a_model_that_takes_something_else_is_refused(
    runners: Runners, tmp_path: Path, inputs: tuple[TensorSpec, ...], message: str
) -> None:
    model = runners.served(doubling(tmp_path / "m.onnx", [None, 2]), "y", inputs=inputs)
    with pytest.raises(InvalidError, match=message):
        model.run({"x": np.ones((1, 2))})


def test_a_single_input_may_have_another_name_there(runners: Runners, digits_models: DigitsModels) -> None:
    here = OnnxModel(digits_models.paths["upright"])
    runners.served(digits_models.paths["upright"], "probabilities")
    way = V2Server(runners.servers[0].address, TERMS)
    inputs = (TensorSpec("image", "FP32", (64,)),)
    model = V2Model(way, "m", "1", inputs=inputs, outputs={"classes": "probabilities"})
    runners.models.append(model)
    images = digits_models.validation["upright"][:3]
    np.testing.assert_array_equal(
        model.run({"image": images})["classes"], here.run({"X": images})["probabilities"]
    )


def test_columns_may_stand_in_another_order_there(runners: Runners, tmp_path: Path) -> None:
    path = doubling(tmp_path / "m.onnx", [None, 3])
    runners.served(path, "y")
    way = V2Server(runners.servers[0].address, TERMS)
    inputs = (TensorSpec("x", "FP32", (3,)),)
    model = V2Model(way, "m", "", inputs=inputs, outputs={"y": "y"}, columns=(2, 0, 1))
    runners.models.append(model)
    np.testing.assert_array_equal(model.run({"x": np.array([[1, 2, 3]])})["y"], [[6, 2, 4]])
    model = V2Model(way, "m", "", inputs=inputs, outputs={"y": "y"}, columns=(1, 0))
    with pytest.raises(InvalidError, match=r"shape \[1, 3\], but `v2.labels` has 2 names"):
        model.run({"x": np.array([[1, 2, 3]])})


def test_bfloat16_goes_in_its_own_bits(runners: Runners, tmp_path: Path) -> None:
    nodes = [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)]
    kinds = (("x", TensorProto.BFLOAT16), ("y", TensorProto.FLOAT))
    tensors = [helper.make_tensor_value_info(name, kind, [None, 1]) for name, kind in kinds]
    graph = helper.make_graph(nodes, "g", tensors[:1], tensors[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, tmp_path / "m.onnx")
    values = np.array([[1.0], [1 + 2**-8], [1 + 3 * 2**-8], [-3e38], [np.nan]], dtype=np.float32)
    np.testing.assert_array_equal(
        runners.served(tmp_path / "m.onnx", "y").run({"x": values})["y"],
        OnnxModel(tmp_path / "m.onnx").run({"x": values})["y"],
    )


def test_metadata_goes_with_every_call(runners: Runners, tmp_path: Path) -> None:
    terms = Terms(deadline_s=10, per_second=1e6, metadata=(("authorization", "Bearer abc"),))
    runners.served(doubling(tmp_path / "m.onnx", [None, 2]), "y", terms).run({"x": np.ones((1, 2))})
    assert runners.servers[0].metadata["authorization"] == "Bearer abc"


def test_calls_keep_to_the_rate(runners: Runners, tmp_path: Path) -> None:
    model = runners.served(
        doubling(tmp_path / "m.onnx", [None, 2]), "y", Terms(deadline_s=10, per_second=50), takes=1
    )
    began = time.monotonic()
    model.run({"x": np.ones((10, 2))})  # and two that ask for the model
    assert time.monotonic() - began >= 11 / 50


def test_the_servers_own_times_are_read(runners: Runners, tmp_path: Path) -> None:
    model = runners.served(doubling(tmp_path / "m.onnx", [None, 2]), "y")
    for _ in range(65):
        assert model.times is None
        model.run({"x": np.ones((1, 2))})
    assert model.times is not None
    assert model.times.requests == 64
    assert (model.times.queue_s, model.times.compute_s) == pytest.approx((0.002, 0.005))


def test_the_times_of_a_server_are_not_those_of_the_one_before(runners: Runners, tmp_path: Path) -> None:
    model = runners.served(doubling(tmp_path / "m.onnx", [None, 2]), "y")
    for _ in range(65):
        model.run({"x": np.ones((1, 2))})
    server = runners.servers[0]
    server.stop()
    with pytest.raises(UnavailableError):
        model.run({"x": np.ones((1, 2))})
    assert model.times is None
    # It counts from 0, and is past the old count when its statistics are read for the first time.
    server.calls["ModelInfer"] = 1000
    server.start()
    wait_for(lambda: _answers(model))
    for _ in range(63):
        model.run({"x": np.ones((1, 2))})
    assert model.times is None


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of localhost, its own root."""
    folder = tmp_path_factory.mktemp("tls")
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)  # noqa: S603 - our own words
    return folder


def test_tls_on_both_sides(runners: Runners, tmp_path: Path, certificates: Path) -> None:
    path = doubling(tmp_path / "m.onnx", [None, 2])
    key, cert = certificates / "key.pem", certificates / "cert.pem"
    server = ModelServer(OnnxModel(path))
    server.start(
        grpc.ssl_server_credentials(
            [(key.read_bytes(), cert.read_bytes())], cert.read_bytes(), require_client_auth=True
        )
    )
    runners.servers.append(server)

    def answers(tls: Tls | None) -> Array:
        way = V2Server(server.address, Terms(deadline_s=5, per_second=1e6, tls=tls))
        model = V2Model(way, "m", "", inputs=server.model.inputs, outputs={"y": "y"})
        runners.models.append(model)
        return model.run({"x": np.ones((1, 2))})["y"]

    np.testing.assert_array_equal(answers(Tls(ca=cert, cert=cert, key=key)), [[2, 2]])
    for tls in (Tls(ca=cert), Tls(), None):
        with pytest.raises(UnavailableError):
            answers(tls)
    with pytest.raises(InvalidError, match=r"gone\.pem: the file cannot be read .*check the path"):
        answers(Tls(ca=certificates / "gone.pem"))


def _answers(model: Model) -> bool:
    try:
        model.run({"x": np.ones((1, 2))})
    except UnavailableError:
        return False
    return True


def wait_for(true: Callable[[], bool]) -> None:
    """Looks again and again; a deadline of its own, as what is waited for is in other threads."""
    ends = time.monotonic() + 20
    while not true():
        assert time.monotonic() < ends, "it did not come about"
        threading.Event().wait(0.01)
