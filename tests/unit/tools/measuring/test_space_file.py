from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.config import ConfigFaultsError
from sidecar.estimation.performance.options import ONNX, V2
from sidecar.estimation.performance.space import OptionKind
from sidecar.tools.measuring.space_file import load_space


def written(folder: Path, text: str) -> Path:
    path = folder / "space.yaml"
    path.write_text(text)
    return path


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigFaultsError) as caught:
        load_space(written(folder, text), ONNX)
    return [str(fault) for fault in caught.value.faults]


def test_a_space_file_in_all_its_parts(tmp_path: Path) -> None:
    text = """
options:
  batch_size: [8, 1]
  graph_optimization: {values: [all, disable], default: disable}
  spinning: [true, false]
fixed: {intra_op_threads: 2}
constraints:
  - when: {spinning: true}
    then: {batch_size: [1, 8]}
"""
    read = load_space(written(tmp_path, text), ONNX)
    assert read.space.names == ("batch_size", "graph_optimization", "spinning")
    assert read.space.option("batch_size").kind is OptionKind.LOG
    assert read.space.defaults == {"batch_size": 1, "graph_optimization": "disable", "spinning": True}
    assert read.space.constraints[0].then == {"batch_size": (1, 8)}
    assert read.fixed == {"intra_op_threads": 2}


def test_all_faults_are_told_with_their_lines(tmp_path: Path) -> None:
    text = """options:
  batch_sise: [1]
  spinning: [1]
  provider: [cpu, cpu]
fixed:
  provider: cpu
  memory_arena: maybe
"""
    assert faults(tmp_path, text) == [
        "line 2, options.batch_sise: there is no option 'batch_sise' to measure; there is batch_size",
        "line 3, options.spinning: 1 is no value here; write false, true",
        "line 4, options.provider: the same value comes twice; list each once",
        "line 6, fixed.provider: is varied as well; leave it out of one of the two",
        "line 7, fixed.memory_arena: maybe is no value here; write false, true",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{}", "options: Field required"),
        ("[]", "holds no mapping"),
        ("options: {}", "at least 1"),
        ("options: {batch_size: []}", "at least 1"),
        ("options: {batch_size: {value: [1]}}", "did you mean 'values'?"),
        ("options: {batch_size: 4}", "options.batch_size"),
        ("option: {batch_size: [4]}", "did you mean 'options'?"),
        ("options: {batch_size: [4]}\nconstraints: [{when: {a: 1}, then: {batch_size: 4}}]", "no option 'a'"),
        ("options: {batch_size: [4]}\nconstraints: [{when: {}, then: {batch_size: 5}}]", "constraints[0]"),
        ("options: {spinning: [true, false]}\nconstraints: [{when: {}, then: {spinning: false}}]", "breaks"),
    ],
)
def test_each_fault_is_named(tmp_path: Path, text: str, fault: str) -> None:
    assert any(fault in one for one in faults(tmp_path, text))


def test_a_v2_server_has_other_options(tmp_path: Path) -> None:
    path = written(tmp_path, "options: {concurrency: [1, 4]}")
    assert load_space(path, V2).space.names == ("concurrency",)
    with pytest.raises(ConfigFaultsError, match="no option 'concurrency'"):
        load_space(path, ONNX)
