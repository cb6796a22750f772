"""The nodes with neural networks where their libraries are not installed: what importing costs, what is refused, and
everything that needs no library. `make test-ml` runs them with torch and transformers."""

import json
import subprocess
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from test_audio_nodes import tones

import remotemedia.nodes
from remotemedia import NodeError, Pipeline, nodes
from remotemedia.core.exceptions import ConfigurationError, InvalidInputError
from remotemedia.nodes import ml, transcription
from remotemedia.nodes.ml.devices import DeviceError, checked_device, choose_device
from remotemedia.nodes.ml.libraries import MissingLibraryError
from remotemedia.nodes.ml.recorder import Recorder
from remotemedia.testing import assert_audio_close, run_node

NAMES = [
    "Qwen2_5OmniNode", "RustWhisperTranscriber", "SileroVADNode", "TorchNode", "TransformersPipelineNode", "UltravoxNode",
    "WhisperTranscriptionNode", "WhisperXTranscriber",
]  # fmt: skip


def test_importing_them_imports_no_library():
    code = """
import json, sys
before = set(sys.modules)
from remotemedia import nodes
from remotemedia.nodes import ml, transcription
for name in %r:
    assert getattr(nodes, name).__name__ == name
assert ml.TorchNode is nodes.TorchNode and transcription.WhisperXTranscriber is nodes.WhisperXTranscriber
nodes.TorchNode(print), nodes.TransformersPipelineNode("fill-mask"), nodes.WhisperTranscriptionNode(), nodes.UltravoxNode()
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
""" % NAMES
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout)
    for library in ("torch", "transformers", "onnxruntime", "whisperx", "scipy", "pandas", "sklearn", "cv2"):
        assert library not in loaded


def test_every_name_is_there():
    assert set(NAMES) <= set(remotemedia.nodes.__all__)
    for name in ml.__all__:
        assert getattr(ml, name) is not None and name in dir(ml)
    with pytest.raises(AttributeError, match="nonesuch"):
        ml.nonesuch  # noqa: B018


@pytest.mark.parametrize(
    ("node", "library"),
    [
        (nodes.TorchNode(lambda: None), "TorchNode needs torch .*pip install torch"),
        (nodes.TransformersPipelineNode("fill-mask"), "TransformersPipelineNode needs torch .*pip install torch transformers"),
        (nodes.WhisperTranscriptionNode(), "WhisperTranscriptionNode needs torch .*pip install torch transformers"),
        (nodes.UltravoxNode(), "UltravoxNode needs torch .*pip install torch transformers peft"),
        (nodes.WhisperXTranscriber(), "WhisperXTranscriber needs whisperx .*pip install whisperx"),
    ],
)
def test_what_is_missing_is_said_when_a_pipeline_starts(node, library, mode, monkeypatch):
    for name in ("torch", "transformers", "whisperx"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(NodeError, match=library) as raised:
        Pipeline([node], mode=mode).run_sync([1])
    cause = raised.value.__cause__
    assert isinstance(cause, MissingLibraryError) and isinstance(cause, ImportError)
    assert raised.value.operation == "initialize"


@pytest.mark.parametrize(
    ("node", "instead"),
    [
        (nodes.RustWhisperTranscriber(model_source="tiny"), "use WhisperTranscriptionNode .* or WhisperXTranscriber"),
        (nodes.Qwen2_5OmniNode(), "use TransformersPipelineNode.'any-to-any'"),
    ],
)
def test_nodes_that_are_not_available_say_what_to_use(node, instead, mode):
    with pytest.raises(NodeError, match=instead):
        Pipeline([node], mode=mode).run_sync([1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nodes.TorchNode(), "module must be given"),
        (lambda: nodes.TorchNode(print, device="gpu"), "device 'gpu' must be 'auto', 'cpu', 'cuda', 'cuda:N' or 'mps'"),
        (lambda: nodes.TorchNode(print, batch_size=0), "batch_size 0 must be a whole number from 1, or None"),
        (lambda: nodes.TransformersPipelineNode(""), "task '' must be the name of a task"),
        (lambda: nodes.TransformersPipelineNode("fill-mask", batch_size=1.5), "batch_size 1.5 must be a whole number"),
        (lambda: nodes.WhisperTranscriptionNode(buffer_duration_s=0), "buffer_duration_s 0 must be more than 0 seconds"),
        (lambda: nodes.UltravoxNode(device="cuda:x"), "device 'cuda:x' must be"),
    ],
)
def test_settings_that_cannot_be_are_refused(make, message):
    with pytest.raises(ConfigurationError, match=message):
        make()


def test_manifests_keep_every_setting():
    node = nodes.WhisperTranscriptionNode("folder", device=0, buffer_duration_s=2)
    entry = node.to_manifest()
    assert (entry["node_type"], entry["is_streaming"]) == ("WhisperTranscriptionNode", True)
    assert (entry["params"]["model_id"], entry["params"]["device"], entry["params"]["buffer_duration_s"]) == ("folder", 0, 2)
    again = Pipeline.from_manifest(Pipeline([node]).serialize())
    (made,) = again
    assert (type(made), made.device, made.model_id) == (nodes.WhisperTranscriptionNode, "cuda:0", "folder")


@pytest.mark.parametrize(
    ("given", "name"),
    [(None, "auto"), ("auto", "auto"), (0, "cuda:0"), (3, "cuda:3"), (-1, "cpu"), ("mps", "mps"), ("cuda", "cuda")],
)
def test_devices_are_named_as_torch_and_transformers_do(given, name):
    assert checked_device(given) == name


@pytest.mark.parametrize("wrong", ["", "cuda:", "cuda:-1", "CPU", True, 1.0, "cpu:0:0"])
def test_names_of_no_device_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="must be 'auto', 'cpu', 'cuda', 'cuda:N' or 'mps'"):
        checked_device(wrong)


def torch_with(gpus=0, mps=False, cuda="13.2", built=True):
    """What of torch says which devices there are."""
    return SimpleNamespace(
        __version__="9.9",
        version=SimpleNamespace(cuda=cuda, hip=None),
        cuda=SimpleNamespace(is_available=lambda: gpus > 0, device_count=lambda: gpus),
        backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: mps, is_built=lambda: built)),
    )


def test_auto_takes_the_best_device_there_is():
    assert choose_device(torch_with(gpus=2, mps=True), "auto") == "cuda:0"
    assert choose_device(torch_with(mps=True), "auto") == "mps"
    assert choose_device(torch_with(), "auto") == "cpu"
    assert choose_device(torch_with(gpus=2), "cuda:1") == "cuda:1"
    assert choose_device(torch_with(gpus=2), "cpu") == "cpu"


@pytest.mark.parametrize(
    ("torch", "device", "message"),
    [
        (torch_with(cuda=None), "cuda", "device 'cuda': torch 9.9 was built without CUDA.*device='auto' .* here 'cpu'"),
        (torch_with(), "cuda:0", "finds no GPU or no driver for it"),
        (torch_with(gpus=2), "cuda:2", "there are 2 of them, counted from 0.* here 'cuda:0'"),
        (torch_with(built=False), "mps", "was built without MPS, which is for macOS"),
        (torch_with(), "mps", "it needs macOS 12.3 and an Apple GPU"),
    ],
)
def test_a_device_that_is_not_there_is_an_error_that_says_what_is_missing(torch, device, message):
    with pytest.raises(DeviceError, match=message):
        choose_device(torch, device)


@pytest.mark.parametrize("size", [100, 441, 1000, 44100])
def test_recorded_stretches_do_not_depend_on_how_the_stream_was_cut(size):
    # 0.5 s at 44.1 kHz is 8000 samples at 16 kHz.
    samples = tones(44100, 1.2, 440, 3000, channels=2)
    recorder, stretches = Recorder(0.5, "node"), []
    for begin in range(0, samples.shape[1], size):
        stretches += recorder.push((samples[:, begin : begin + size], 44100))
    stretches += recorder.finish()
    assert [stretch.size for stretch in stretches] == [8000, 8000, 3200]
    expected = tones(16000, 0.5, 440, 3000) * 0.75
    assert_audio_close(stretches[0][800:-800], expected[0, 800:-800], snr_db=80)


def test_another_rate_ends_a_stretch():
    recorder = Recorder(1.0, "node")
    assert list(recorder.push((np.ones(8000, np.float32), 16000))) == []
    (before,) = recorder.push((np.zeros(4000, np.float32), 8000))
    np.testing.assert_allclose(before, 1.0)
    (after,) = recorder.finish()
    assert (before.size, after.size) == (8000, 8000)
    with pytest.raises(InvalidInputError, match="node: Input must be a tuple"):
        list(recorder.push("text"))


class _WhisperX(ModuleType):
    """What WhisperXTranscriber asks of the library, with a record of it."""

    def __init__(self):
        super().__init__("whisperx")
        self.calls = []

    def load_model(self, size, **options):
        self.calls.append(("load_model", size, options))
        return self

    def load_align_model(self, **options):
        self.calls.append(("load_align_model", options))
        return "aligner", {"language": "en"}

    def transcribe(self, audio, **options):
        self.calls.append(("transcribe", audio.shape, audio.dtype.name, options))
        return {"segments": [{"text": " Hello"}, {"text": " there."}], "language": "en"}

    def align(self, segments, model, metadata, audio, device, return_char_alignments):
        self.calls.append(("align", model, metadata, device))
        return {"segments": [{**segment, "words": []} for segment in segments]}


def test_whisperx_is_asked_as_its_documentation_says(mode, monkeypatch):
    library = _WhisperX()
    monkeypatch.setitem(sys.modules, "whisperx", library)
    node = transcription.WhisperXTranscriber("tiny", language="en", align_model=True, batch_size=4)
    stereo = np.zeros((2, 48000), np.int16)
    (out,) = run_node(node, [(stereo, 48000)], mode=mode)
    assert out == {
        "text": " Hello there.",
        "segments": [{"text": " Hello", "words": []}, {"text": " there.", "words": []}],
        "language": "en",
        "audio_duration": 1.0,
        "sample_rate": 48000,
    }
    vad = {"vad_onset": 0.5, "vad_offset": 0.363}
    assert library.calls == [
        ("load_model", "tiny", {"device": "cpu", "compute_type": "float32", "language": "en", "vad_options": vad}),
        ("load_align_model", {"language_code": "en", "device": "cpu"}),
        ("transcribe", (16000,), "float32", {"batch_size": 4, "language": "en"}),
        ("align", "aligner", {"language": "en"}, "cpu"),
    ]
