"""The fixtures that the package gives to everybody's tests."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from remotemedia.nodes import AddNode, MultiplyNode, NativeNode
from remotemedia.testing import sine

USER_TEST = """
    import numpy as np
    from remotemedia import Node, Pipeline

    modes = []

    class Halve(Node):
        def process(self, data):
            samples, rate = data
            return samples / 2, rate

    def test_node(run_node, pipeline_mode):
        modes.append(pipeline_mode)
        assert run_node(Halve(), [(np.ones(4), 8000)])[0][1] == 8000

    def test_pipeline(run_pipeline):
        assert run_pipeline(Pipeline([Halve()]), (np.ones(4), 8000))[0].tolist() == [0.5] * 4

    def test_source(run_pipeline, audio_source):
        pieces = run_pipeline([audio_source(0.1, channels=2, amplitude=1.0), Halve()])
        assert [samples.shape for samples, rate in pieces] == [(2, 320)] * 5
        assert max(abs(samples).max() for samples, rate in pieces) <= 0.5

    def test_both_modes():
        assert modes == ["python_cpu", "rust_inprocess_ffi"]

    def test_wrong(run_node):
        assert run_node(Halve(), [(np.ones(4), 8000)]) == []
"""


def test_the_installed_plugin_gives_its_fixtures_to_a_users_tests(pytester):
    pytester.makepyfile(USER_TEST)
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=7, failed=2)


def test_the_tests_in_the_documents_pass(pytester):
    text = (Path(__file__).resolve().parents[2] / "docs/python-sdk.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    tests = next(index for index, block in enumerate(blocks) if "def test_" in block)
    pytester.makepyfile("\n".join(blocks[: tests + 1]))
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=4)


def test_its_fixtures_have_descriptions(pytester):
    listed = pytester.runpytest_subprocess("--fixtures", "-p", "no:cacheprovider")
    for name in ("run_node", "run_pipeline", "audio_source", "pipeline_mode"):
        listed.stdout.fnmatch_lines([f"{name} -- *pytest_plugin.py*"])


def test_loading_the_plugin_imports_no_numpy():
    code = "import sys, json, remotemedia.pytest_plugin; print(json.dumps('numpy' in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout) is False


def test_nodes_and_pipelines_run(run_node, run_pipeline, pipeline_mode):
    assert pipeline_mode in ("python_cpu", "rust_inprocess_ffi")
    assert run_node(AddNode(addend=2), [1, 2]) == [3, 4]
    assert run_pipeline(iter([AddNode(addend=2), MultiplyNode(factor=3)]), 1) == 9
    if pipeline_mode == "python_cpu":
        with pytest.raises(Exception, match="native"):
            run_pipeline([NativeNode("PassThrough")], 1)
    else:
        assert run_pipeline([NativeNode("PassThrough")], 1) == 1


def test_a_sine_is_one():
    pieces = sine(0.05, frequency_hz=100, amplitude=0.25, sample_rate_hz=8000, channels=2, chunk_ms=20)
    assert [samples.shape for samples, _ in pieces] == [(2, 160), (2, 160), (2, 80)]
    whole = np.concatenate([samples for samples, _ in pieces], axis=1)
    assert whole.dtype == np.float32
    # A period is 80 frames: a quarter of it is the top, half of it the zero.
    assert whole[0, [0, 20, 40, 60, 80]] == pytest.approx([0, 0.25, 0, -0.25, 0], abs=1e-6)
    assert np.array_equal(whole[0], whole[1])
    assert {rate for _, rate in pieces} == {8000}


@pytest.mark.parametrize("wrong", [{"duration_s": 0}, {"channels": 0}, {"chunk_ms": 0}, {"sample_rate_hz": -1}])
def test_what_is_no_sine_is_said(wrong):
    with pytest.raises(ValueError, match="no such sine"):
        sine(**wrong)
