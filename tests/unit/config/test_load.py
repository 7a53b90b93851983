from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sidecar.config import Config, ConfigFaultsError, load_candidates, load_config

SIZES = "B, KiB, MiB, GiB, kB, MB, GB"
GOOD = """\
endpoints:
  - name: digits
    capture:
      - proxy: {listen: 0.0.0.0:9001, upstream: 127.0.0.1:8001, model: digits}
    sample: {fraction: 0.1, max_per_second: 200}
    input: {tensor: INPUT0}
    window: {items: 4096, bytes: 64MiB}
    incumbent: digits-2024
    candidates:
      - {name: digits-2024, profile: profiles/digits-2024.safetensors, onnx: {path: models/digits-2024.onnx}}
      - {name: digits-eu, profile: profiles/digits-eu.safetensors, onnx: {path: /models/digits-eu.onnx}}
    ranking: {every: 5s, objectives: [accuracy]}
serve: {grpc: 0.0.0.0:9500, http: 0.0.0.0:9400}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "pilotfish.yaml"
    path.write_text(text)
    return path


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigFaultsError) as caught:
        load_config(written(folder, text))
    return [str(fault) for fault in caught.value.faults]


def test_a_good_file(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, GOOD))
    endpoint = config.endpoints[0]
    assert endpoint.window.bytes == 64 * 2**20
    assert endpoint.ranking.every == 5.0
    assert endpoint.candidates[0].profile == tmp_path / "profiles/digits-2024.safetensors"
    assert endpoint.candidates[1].files[1] == Path("/models/digits-eu.onnx")
    with pytest.raises(ValueError, match="frozen"):
        endpoint.name = "other"  # type: ignore[misc]
    assert Config.model_validate_json(config.model_dump_json()) == config


def test_three_mistakes_are_said_at_once_with_their_places(tmp_path: Path) -> None:
    text = GOOD.replace("fraction: 0.1", "fracton: 0.1").replace("64MiB", "64 apples")
    text = text.replace("incumbent: digits-2024", "incumbent: digits-2023")
    assert faults(tmp_path, text) == [
        "line 5, endpoints[0].sample.fracton: unknown key; did you mean 'fraction'?",
        f"line 7, endpoints[0].window.bytes: write a number with a unit ({SIZES}), like 64MiB",
        (
            "line 8, endpoints[0].incumbent: 'digits-2023' is not a candidate; "
            "the candidates are: digits-2024, digits-eu"
        ),
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("serve:", "sevre:", "line 13, sevre: unknown key; did you mean 'serve'?"),
        (
            "grpc: 0.0.0.0:9500",
            "grpc: everywhere",
            "line 13, serve.grpc: write HOST:PORT, like 127.0.0.1:8001",
        ),
        ("every: 5s", "every: soon", "write a number with a unit (ms, s, m, h), like 5s"),
        (
            "digits-eu, prof",
            "digits-2024, prof",
            "endpoints[0].candidates[1].name: 'digits-2024' is the name of an earlier",
        ),
        ("[accuracy]", "[beauty]", "ranking.objectives[0]: objective 'beauty' is none of accuracy"),
        ("    incumbent: digits-2024\n", "", "endpoints[0].incumbent: Field required"),
        (
            "[accuracy]",
            "[accuracy], measures: [jsd, covrage]",
            "endpoints[0].ranking.measures[1]: there is no measure 'covrage': did you mean 'coverage'?",
        ),
        (
            "    incumbent:",
            "    segments: {tensor: site, inputs: true}\n    incumbent:",
            "endpoints[0].segments: give one of tensor, metadata, inputs; given: tensor, inputs",
        ),
        (
            "    incumbent:",
            "    segments: {max: 2}\n    incumbent:",
            "endpoints[0].segments: give one of tensor, metadata, inputs; given: none",
        ),
        (
            "    incumbent:",
            "    segments: {metadata: X-Region}\n    incumbent:",
            "endpoints[0].segments.metadata: ",
        ),
        (
            "    incumbent:",
            "    segments: {inputs: true, max: 17}\n    incumbent:",
            "endpoints[0].segments.max: ",
        ),
        (
            "    incumbent:",
            "    segments: {inputs: false}\n    incumbent:",
            "endpoints[0].segments.inputs: Input should be True",
        ),
    ],
)
def test_single_mistakes(tmp_path: Path, old: str, new: str, message: str) -> None:
    said = faults(tmp_path, GOOD.replace(old, new, 1))
    assert len(said) == 1
    assert message in said[0]


@pytest.mark.parametrize("way", ["tensor: site", "metadata: x-region", "inputs: true"])
def test_the_window_is_split_one_way_or_not_at_all(tmp_path: Path, way: str) -> None:
    assert load_config(written(tmp_path, GOOD)).endpoints[0].segments is None
    text = GOOD.replace("    incumbent:", f"    segments: {{{way}}}\n    incumbent:")
    split = load_config(written(tmp_path, text)).endpoints[0].segments
    assert split is not None
    assert split.model_dump(exclude_none=True).keys() == {way.split(":", maxsplit=1)[0], "max"}
    assert split.max == 4


def test_a_listener_has_one_upstream_and_a_model_one_endpoint(tmp_path: Path) -> None:
    endpoints = GOOD.split("serve:", maxsplit=1)[0]
    second = endpoints.removeprefix("endpoints:\n").replace("name: digits\n", "name: other\n")
    said = faults(tmp_path, endpoints + second)
    assert any("is watched already" in fault for fault in said)
    said = faults(tmp_path, endpoints + second.replace("127.0.0.1:8001, model: digits", "127.0.0.1:8002"))
    assert any("already leads to 127.0.0.1:8001" in fault for fault in said)


def test_an_embedded_model_belongs_to_one_endpoint(tmp_path: Path) -> None:
    endpoints = GOOD.split("serve:", maxsplit=1)[0].replace("upstream: 127.0.0.1:8001, ", "")
    second = endpoints.removeprefix("endpoints:\n").replace("name: digits\n", "name: other\n")
    said = faults(tmp_path, endpoints + second.replace("9001", "9002"))
    assert len(said) == 1
    assert "endpoints[1].capture[0].proxy.model: 'digits' without an upstream is watched already" in said[0]


@pytest.mark.parametrize("odd", ["[a]", "{a: b}", "99999999999999999999999999MiB", "1e400"])
def test_odd_values_are_faults_and_nothing_worse(tmp_path: Path, odd: str) -> None:
    assert faults(tmp_path, GOOD.replace("listen: 0.0.0.0:9001", f"listen: {odd}"))
    assert faults(tmp_path, GOOD.replace("bytes: 64MiB", f"bytes: {odd}"))


def test_relative_paths_stay_with_the_link_of_a_config_map(tmp_path: Path) -> None:
    (tmp_path / "..data_1").mkdir()
    written(tmp_path / "..data_1", GOOD)
    (tmp_path / "pilotfish.yaml").symlink_to("..data_1/pilotfish.yaml")
    config = load_config(tmp_path / "pilotfish.yaml")
    assert config.endpoints[0].candidates[0].profile == tmp_path / "profiles/digits-2024.safetensors"


def test_ports_are_used_once_and_a_proxy_does_not_lead_to_itself(tmp_path: Path) -> None:
    said = faults(tmp_path, GOOD.replace("0.0.0.0:9001", "0.0.0.0:9500"))
    assert said == [
        "line 4, endpoints[0].capture[0].proxy.listen: 0.0.0.0:9500 is the address of `serve.grpc` already"
    ]
    said = faults(tmp_path, GOOD.replace("http: 0.0.0.0:9400", "http: 0.0.0.0:9500"))
    assert said == ["line 13, serve.http: 0.0.0.0:9500 is the address of `serve.grpc` already"]
    said = faults(tmp_path, GOOD.replace("0.0.0.0:9001", "127.0.0.1:8001"))
    assert "would lead to itself" in said[0]


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "a: [1\n", "endpoints: 3\n", "endpoints: []\n", "\x00"])
def test_what_is_no_configuration_is_said_as_such(tmp_path: Path, text: str) -> None:
    assert faults(tmp_path, text)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigFaultsError, match="cannot be read"):
        load_config(tmp_path / "nowhere.yaml")


def test_the_environment_overrides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILOTFISH_SERVE__GRPC", "127.0.0.1:1")
    serve = load_config(written(tmp_path, GOOD)).serve
    assert (serve.grpc, serve.http) == ("127.0.0.1:1", "0.0.0.0:9400")


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("PILOTFISH_LOG", "debug", "write the value as JSON"),
        ("PILOTFISH_SERV__GRPC", "0.0.0.0:1", "did you mean PILOTFISH_SERVE?"),
        ("PILOTFISH_SERVE__GRPC", "nowhere", "PILOTFISH_SERVE__GRPC: write HOST:PORT"),
        ("PILOTFISH_SERVE__GRCP", "0.0.0.0:1", "PILOTFISH_SERVE__GRCP: unknown key; did you mean 'grpc'?"),
    ],
)
def test_faults_of_the_environment_name_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    monkeypatch.setenv(variable, value)
    said = faults(tmp_path, GOOD)
    assert len(said) == 1
    assert message in said[0]


def test_variables_that_kubernetes_sets_mean_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILOTFISH_PORT_9500_TCP_ADDR", "10.0.0.1")
    assert load_config(written(tmp_path, GOOD)).serve.grpc == "0.0.0.0:9500"


def test_every_key_is_described_and_every_limit_has_a_default() -> None:
    schema = Config.model_json_schema()
    for name, section in (schema["$defs"] | {"Config": schema}).items():
        for key, value in section["properties"].items():
            assert value.get("description"), f"{name}.{key}"
            if name in {"Window", "Sample", "Scoring", "Serve"}:
                assert "default" in value, f"{name}.{key}"
    assert json.dumps(schema)


@pytest.mark.parametrize(
    ("section", "key", "short"),
    [
        ("Ranking", "objectives", "string"),
        ("Ranking", "constraints", "number"),
        ("Candidate", "objectives", "number"),
    ],
)
def test_the_schema_knows_the_short_form_too(section: str, key: str, short: str) -> None:
    entries = Config.model_json_schema()["$defs"][section]["properties"][key]
    items = entries.get("items") or next(iter(entries["patternProperties"].values()))
    assert {"type": short} in items["anyOf"]


def test_candidates_alone_make_an_offline_endpoint(tmp_path: Path) -> None:
    path = written(tmp_path, "candidates:\n  - {name: a, profile: a.st, onnx: {path: a.onnx}}\n")
    endpoint = load_candidates(path)
    assert (endpoint.name, endpoint.incumbent) == ("offline", "a")
    path = written(tmp_path, "candidates:\n  - {name: a, profil: a.st, onnx: {path: a.onnx}}\n")
    with pytest.raises(ConfigFaultsError, match=r"line 2, candidates\[0\].profil: unknown key; did you mean"):
        load_candidates(path)


@pytest.mark.parametrize(
    ("model", "fault"),
    [
        ("onnx: {path: a.onnx}, v2: {url: 'h:1', model: m}", "give exactly one of onnx, v2"),
        ("performance: null", "give exactly one of onnx, v2"),
        ("onnx: {path: a.onnx, provider: gpu}", "provider 'gpu' is not known; choose one of cpu, cuda,"),
        ("v2: {url: 'h:1', model: m, tls: {cert: c.pem}}", "only one of cert and key is given"),
        ("v2: {url: 'grpc://h:1', model: m}", "write HOST:PORT"),
        ("v2: {url: 'h:1', model: m, metadata: {Authorization: x}}", "match pattern"),
        ("v2: {url: 'h:1', model: m, in_fligth: 3}", "did you mean 'in_flight'?"),
    ],
)
def test_a_candidate_has_one_model_and_a_way_to_it(tmp_path: Path, model: str, fault: str) -> None:
    path = written(tmp_path, f"candidates:\n  - {{name: a, profile: a.st, {model}}}\n")
    with pytest.raises(ConfigFaultsError, match=re.escape(fault)):
        load_candidates(path)


def test_a_served_candidate_has_files_and_limits(tmp_path: Path) -> None:
    served = (
        "v2: {url: 'h:1', model: m, deadline: 200ms, tls: {ca: ca.pem}, metadata: {authorization: Bearer x}}"
    )
    path = written(tmp_path, f"candidates:\n  - {{name: a, profile: a.st, {served}}}\n")
    one = load_candidates(path).candidates[0]
    assert one.files == (tmp_path / "a.st", tmp_path / "ca.pem")
    assert one.v2 is not None
    assert (one.v2.in_flight, one.v2.per_second, one.v2.deadline) == (2, 100, 0.2)


def test_a_proxy_without_an_upstream_needs_an_incumbent_that_runs_here(tmp_path: Path) -> None:
    served = "{name: a, profile: a.st, v2: {url: 'h:1', model: m}}"
    path = written(
        tmp_path,
        f"name: e\nincumbent: a\ncapture: [{{proxy: {{listen: 'h:2'}}}}]\ncandidates: [{served}]\n",
    )
    with pytest.raises(
        ConfigFaultsError, match="'a' runs on a server, so it cannot answer here: give the proxy an upstream"
    ):
        load_candidates(path)
