"""The examples of docs/examples/python do what they say. What they print is computed here in another way."""

import ast
import asyncio
import contextlib
import inspect
import io
import json
import os
import re
import shutil
import subprocess
import sys
import wave
from pathlib import Path

import av
import numpy as np
import pytest

import remotemedia

EXAMPLES = Path(__file__).resolve().parents[2] / "docs/examples"
FOLDER = EXAMPLES / "python"
CHECKED_ELSEWHERE = {"loudness.py", "test_custom_node.py"}


def printed(name, tmp_path, *arguments, command=()):
    """What an example prints; it runs elsewhere, with warnings as errors."""
    command = [sys.executable, "-W", "error", *command, str(FOLDER / name), *map(str, arguments)]
    installed = str(Path(remotemedia.__file__).resolve().parents[1])
    environment = {**os.environ, "PYTHONPATH": installed, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def recording():
    with wave.open(str(EXAMPLES / "speech/speech.wav")) as file:
        assert (file.getnchannels(), file.getframerate()) == (1, 44100)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768.0


def test_every_example_is_checked():
    tested = Path(__file__).read_text()
    scripts = {path.name for path in FOLDER.glob("*.py")} - CHECKED_ELSEWHERE
    assert len(scripts) >= 8
    assert [name for name in sorted(scripts) if f'"{name}"' not in tested] == []
    listed = (FOLDER / "README.md").read_text()
    assert [path.name for path in FOLDER.iterdir() if path.is_file() and path.name not in listed and path.name != "README.md"] == []


def test_two_branches(tmp_path, recording):
    wanted = []
    for second in range(11):
        piece = recording[second * 44100 : (second + 1) * 44100]
        level = 10 * np.log10(np.mean(piece**2))
        spectrum = np.abs(np.fft.rfft(piece * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(44100) / 44100))))
        centre = np.sum(np.arange(22051) * spectrum) / np.sum(spectrum)
        wanted.append(f"second {second + 1:2}: {level:5.1f} dBFS, centre of the spectrum {centre:4.0f} Hz\n")
    assert printed("two_branches.py", tmp_path) == "".join(wanted)


def test_streaming_microphone(tmp_path, recording):
    peaks = 20 * np.log10(np.abs(recording.reshape(11, 44100)).max(axis=1))
    assert printed("streaming_microphone.py", tmp_path) == "".join(
        f"{peak:6.1f} dBFS {'#' * round(60 + peak)}\n" for peak in peaks
    )


def test_wasm_gain(tmp_path):
    wanted = "gain_0 runs in the sandbox: True\npeak before 1.0000, after 0.5012: -6.00 dB\n"
    assert printed("wasm_gain.py", tmp_path) == wanted
    # The same node, written in C.
    shutil.copy(EXAMPLES.parents[1] / "target/guests/gain-c.wasm", tmp_path / "gain.wasm")
    assert printed("wasm_gain.py", tmp_path, tmp_path / "gain.wasm") == wanted


def test_custom_node(tmp_path):
    # The last of 800 frames has 799 · 0.125 ms more than the first; 400 ms are the whole way.
    wanted = [
        f"{begin} ms: {min(begin / 400, 1):.2f} to {min((begin + 99.875) / 400, 1):.2f}\n" for begin in range(0, 600, 100)
    ]
    assert printed("custom_node.py", tmp_path) == "".join(wanted)


def test_the_tests_of_the_custom_node_pass(tmp_path):
    options = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull)
    assert "5 passed" in printed("test_custom_node.py", tmp_path, command=options)


def test_sklearn_classifier(tmp_path):
    assert printed("sklearn_classifier.py", tmp_path) == (
        "a tone of 333 Hz: tone (sure)\nnoise: noise (sure)\na tone of 1234 Hz: tone (sure)\n"
    )


def test_speech_segments(tmp_path):
    """The labels are those of the recording's synthesis."""
    labels = json.loads((EXAMPLES / "speech/speech.truth.json").read_text())["segments"]
    lines = printed("speech_segments.py", tmp_path).splitlines()
    assert len(lines) == len(labels)
    for line, label in zip(lines, labels, strict=True):
        found = re.fullmatch(r" *(\d+\.\d\d) s to +(\d+\.\d\d) s, (\d+)% sure", line)
        assert found, line
        begin, end, sure = map(float, found.groups())
        assert abs(begin - label["start_ns"] / 1e9) < 0.1 and abs(end - label["end_ns"] / 1e9) < 0.25 and sure > 90


def test_node_metrics(tmp_path):
    lines = printed("node_metrics.py", tmp_path).splitlines()
    assert lines[0] == "the loudest frequency is 1000 Hz"
    assert [re.sub(r" +\d+ us$", "", line) for line in lines[2:]] == [
        f"{name:20}    20      0" for name in ("AudioResampleNode_0", "Spectrum_1", "Loudest_2")
    ]


def test_media_files(tmp_path, recording):
    assert printed("media_files.py", tmp_path) == (
        "speech.flac: flac, 44100 Hz, 2 channels, 11.00 s\nfaster than it plays\n"
    )
    with av.open(str(tmp_path / "speech.flac")) as file:
        samples = np.concatenate([frame.to_ndarray().reshape(-1, 2) for frame in file.decode(audio=0)])
    assert np.array_equal(samples, np.stack([recording, recording], axis=1) * 2.0**31)
    mp3 = EXAMPLES.parents[1] / "tests/media/tone.mp3"
    assert printed("media_files.py", tmp_path, mp3, "tone.wav").startswith("tone.wav: pcm_f32le, 44100 Hz, 2 channels, 1.00 s\n")


def test_from_manifest(tmp_path):
    # 0.05 and 0.25 are -26.02 and -12.04 dB of full scale, and the gain is 6 dB.
    assert printed("from_manifest.py", tmp_path) == (
        "gain: native\nchunks: native\nloudness: cpython\n"
        "[{'rms_dbfs': -80.0}, {'rms_dbfs': -20.0}, {'rms_dbfs': -6.0}]\n"
    )


def cells():
    notebook = json.loads((FOLDER / "notebook.ipynb").read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


async def executed(source, names):
    """(what a cell prints, the value of its last line), as IPython runs it: with `await` anywhere."""
    tree = ast.parse(source)
    if isinstance(tree.body[-1], ast.Expr):
        tree.body[-1] = ast.Assign([ast.Name("_", ast.Store())], tree.body[-1].value)
        ast.fix_missing_locations(tree)
    names["_"] = None
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = eval(compile(tree, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
        if inspect.iscoroutine(code):
            await code
    return out.getvalue(), names["_"]


def test_the_notebook_shows_what_it_gives():
    async def run():
        names = {"__name__": "__main__"}
        for cell in cells():
            out, value = await executed("".join(cell["source"]), names)
            for output in cell["outputs"]:
                if output["output_type"] == "stream":
                    assert out == "".join(output["text"])
                    out = ""
                else:
                    assert repr(value) == "".join(output["data"]["text/plain"])
                    if "text/html" in output["data"]:
                        assert value._repr_html_() == "".join(output["data"]["text/html"])
                    value = None
            assert (out, value) == ("", None)

    assert len(cells()) == 4
    asyncio.run(run())
