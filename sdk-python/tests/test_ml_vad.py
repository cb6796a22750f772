"""The Silero detector: against the package's own model for whole recordings, and closed forms of its rules."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotemedia import NodeError, Pipeline, nodes
from remotemedia.core.exceptions import ConfigurationError, InvalidInputError
from remotemedia.nodes import SileroVADNode
from remotemedia.nodes.vad_model import weights_of_package
from remotemedia.nodes.vad_segments import Segmenter, SegmentRules
from remotemedia.testing import run_node

ROOT = Path(__file__).resolve().parents[2]
RATE = 16000


def module_of(path):
    """A script of the repository as a module. Scripts beside it can be imported."""
    sys.path.insert(0, str(path.parent))
    try:
        return importlib.import_module(path.stem)
    finally:
        sys.path.remove(str(path.parent))


scores = module_of(ROOT / "benches/python/vad_scores.py")
make_vad_set = module_of(ROOT / "tests/media/make_vad_set.py")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """A small part of the labelled set: three voices, two kinds of noise, and loud and quiet noise; 2 minutes."""
    folder = tmp_path_factory.mktemp("vad_set")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make_vad_set, "VOICES", [("en-gb", "en"), ("en-us+f3", "en"), ("de+f5", "de")])
        patch.setattr(make_vad_set, "BABBLE_VOICES", ["en-gb+m2", "en-us+f1"])
        patch.setattr(make_vad_set, "TEXTS", {"en": make_vad_set.TEXTS["en"][:6], "de": make_vad_set.TEXTS["de"]})
        patch.setattr(make_vad_set, "NOISES", ["pink", "babble"])
        patch.setattr(make_vad_set, "SNR_DB", [20, 5])
        patch.setattr(sys, "argv", ["make_vad_set", "--out", str(folder), "--seed", "11"])
        make_vad_set.main()
    return scores.read_set(folder)


@pytest.fixture(scope="module")
def speech(recordings):
    return recordings[0].samples


def found(samples, output, rate=RATE, sizes=None, mode="python_cpu", **params):
    """What the node says about mono `samples`, cut into pieces of `sizes`, over and over."""
    pieces, begin = [], 0
    while begin < samples.size:
        size = (sizes or [samples.size])[len(pieces) % len(sizes or [0])]
        pieces.append((samples[np.newaxis, begin : begin + size], rate))
        begin += size
    return run_node(SileroVADNode(output=output, **params), pieces, mode=mode)


def test_frames_are_those_of_the_model_for_whole_recordings(speech):
    # The package has the same network in another form, which takes all the windows of a recording at once.
    session = onnxruntime.InferenceSession(
        weights_of_package().with_name("silero_vad_16k_sequence.onnx"), providers=["CPUExecutionProvider"],
        sess_options=quiet(),
    )  # fmt: skip
    windows = -(-speech.size // 512)
    padded = np.zeros(64 + windows * 512, np.float32)
    padded[64 : 64 + speech.size] = speech
    inputs = np.lib.stride_tricks.sliding_window_view(padded, 576)[::512]
    start = np.zeros((1, 1, 128), np.float32)
    expected, _, _ = session.run(None, {"input": np.ascontiguousarray(inputs), "h": start, "c": start})
    frames = found(speech, "frames")
    np.testing.assert_allclose([frame["probability"] for frame in frames], expected, atol=1e-4)
    assert [frame["pts_ns"] for frame in frames] == [32_000_000 * number for number in range(windows)]
    assert [frame["is_speech"] for frame in frames] == [frame["probability"] >= 0.5 for frame in frames]
    assert 0.2 < np.mean(expected > 0.5) < 0.9


def quiet():
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return options


@pytest.mark.parametrize("output", ["frames", "segments"])
@pytest.mark.parametrize("sizes", [[480], [1, 511, 513, 7], [320, 0, 4096]])
def test_results_do_not_depend_on_how_the_stream_was_cut(speech, output, sizes, mode):
    part = speech[: 5 * RATE + 100]
    whole = found(part, output)
    assert len(whole) > (1 if output == "segments" else 100)
    assert found(part, output, sizes=sizes, mode=mode) == whole


def test_telephone_audio_is_judged_alike(speech):
    half = make_vad_set.synthesis.resample(speech.astype(np.float64), 16000, 8000).astype(np.float32)
    frames = found(half, "frames", rate=8000, sizes=[240])
    assert [frame["pts_ns"] for frame in frames] == [32_000_000 * number for number in range(-(-half.size // 256))]
    wide = found(speech, "frames")
    agree = np.mean([a["is_speech"] == b["is_speech"] for a, b in zip(frames, wide, strict=True)])
    assert agree > 0.9


def test_items_come_back_with_what_was_found_in_them(speech, mode):
    part = speech[: 2 * RATE]
    items = [(part[np.newaxis, begin : begin + 800], RATE) for begin in range(0, part.size, 800)]
    out = run_node(SileroVADNode(), items, mode=mode)
    frames = found(part, "frames")
    ended = 0
    for number, (samples, rate, said) in enumerate(out):
        assert rate == RATE
        np.testing.assert_array_equal(samples, items[number][0])
        whole = 800 * (number + 1) // 512
        assert said["total_frames"] == whole - ended
        probabilities = [frame["probability"] for frame in frames[ended:whole]]
        assert said["probability"] == max(probabilities)
        assert said["speech_frames"] == sum(probability >= 0.5 for probability in probabilities)
        assert said["is_speech"] == (said["speech_frames"] > 0)
        ended = whole
    assert len(out) == len(items)


def test_an_item_shorter_than_a_window_has_the_probability_before_it(speech):
    loud = int(np.argmax([frame["probability"] for frame in found(speech, "frames")])) * 512
    *_, before, short = run_node(
        SileroVADNode(), [(speech[np.newaxis, : loud + 512], RATE), (speech[np.newaxis, loud + 512 : loud + 600], RATE, {"user_id": 7})],
        mode="python_cpu",
    )  # fmt: skip
    assert before[2]["is_speech"]
    assert short[2] == {
        "user_id": 7, "is_speech": True, "probability": before[2]["probability"], "speech_frames": 0, "total_frames": 0,
    }  # fmt: skip


def test_channels_are_averaged_and_integers_understood(speech):
    part = speech[: 2 * RATE]
    integers = np.round(part * 32767).astype(np.int16)
    expected = found((integers / 32768).astype(np.float32), "frames")
    stereo = np.stack([integers, integers])
    assert run_node(SileroVADNode(output="frames"), [(stereo, RATE)], mode="python_cpu") == expected


def test_silence_and_samples_that_are_no_numbers_are_no_speech():
    broken = np.full(RATE, np.nan, np.float32)
    broken[::3] = np.inf
    frames = found(broken, "frames")
    assert frames == found(np.zeros(RATE, np.float32), "frames")
    assert not any(frame["is_speech"] for frame in frames)


def segments_of(probabilities, samples=None, **rules):
    """Segments as (start, end) in windows of 10 samples."""
    settings = {"threshold": 0.5, "neg_threshold": 0.35, "min_speech": 0, "min_silence": 20, "pad": 0, **rules}
    segmenter = Segmenter(SegmentRules(**settings), window=10)
    out = [segment for probability in probabilities for segment in segmenter.push(probability)]
    out += segmenter.finish(10 * len(probabilities) if samples is None else samples)
    return [(segment.start, segment.end) for segment in out]


def test_speech_begins_at_the_threshold_and_ends_where_it_was_below_the_lower_one():
    assert segments_of([0, 0.5, 0.4, 0.4, 0.4, 0.3, 0, 0, 0]) == [(10, 50)]
    assert segments_of([0, 0.49, 0.49]) == []


def test_short_silence_ends_nothing():
    assert segments_of([1, 0, 0, 1, 0, 0, 0, 1]) == [(0, 40), (70, 80)]


def test_uncertain_windows_in_a_silence_do_not_make_it_longer_or_shorter():
    assert segments_of([1, 0, 0.4, 0, 1]) == [(0, 10), (40, 50)]
    assert segments_of([1, 0, 0.4, 0.4, 0.4, 1]) == [(0, 60)]


def test_short_speech_is_dropped():
    assert segments_of([1, 0, 0, 0, 1, 1, 0, 0, 0], min_speech=10) == [(40, 60)]
    assert segments_of([1, 1], samples=11, min_speech=10) == [(0, 11)]
    assert segments_of([1], min_speech=10) == []


def test_padding_stays_within_the_stream_and_is_shared_between_neighbours():
    assert segments_of([0, 1, 0, 0, 0, 0, 0, 0], pad=4) == [(6, 24)]
    assert segments_of([1, 0, 0, 0], pad=4) == [(0, 14)]
    assert segments_of([0, 1], samples=17, pad=40) == [(0, 17)]
    # 30 samples of silence: 15 for each.
    assert segments_of([1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], pad=20) == [(0, 25), (25, 70)]
    # What is dropped takes nothing of it.
    assert segments_of([1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], pad=40, min_speech=10) == [(0, 60)]


@given(st.lists(st.sampled_from([0.0, 0.4, 0.9]), max_size=60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_segments_are_in_order_and_apart(probabilities, min_speech, min_silence, pad):
    rules = {"min_speech": min_speech, "min_silence": min_silence, "pad": pad}
    ends = [time for segment in segments_of(probabilities, **rules) for time in segment]
    assert ends == sorted(ends)
    assert not ends or (ends[0] >= 0 and ends[-1] <= 10 * len(probabilities))


def test_the_model_finds_the_speech_of_the_labelled_set(recordings):
    # The model alone, on the whole set: F1 0.907, AUC 0.979.
    detections = [scores.detect_silero(recording) for recording in recordings]
    scored = scores.score(recordings, detections)
    assert scored["frame_f1"] >= 0.88
    assert scored["auc"] >= 0.95
    assert scored["segment_f1"] >= 0.85


def test_scores_are_those_of_the_rust_tests():
    # The example of tests/vad_labelled_set/scoring.rs: 1.5 s hit, 0.25 s false, 0.5 s missed.
    recording = scores.Recording("none", 20, np.zeros(160_000, np.float32), ((1_000_000_000, 3_000_000_000),))
    frames = [(100_000_000 * number, 0.2 if number < 10 else 0.1) for number in range(100)]
    detection = scores.Detection([(1_500_000_000, 3_250_000_000)], frames)
    scored = scores.score([recording], [detection])
    assert scored["segment_f1"] == pytest.approx(3.0 / 3.75)
    # Speech frames (20 of 100) all have 0.1; 10 of the 80 others have 0.2 and win, 70 tie.
    assert scored["auc"] == pytest.approx(70.0 / 80.0 / 2.0)


def test_a_stream_ends_with_its_flush(speech, mode):
    pipeline = Pipeline([SileroVADNode(output="segments")], mode=mode)
    part = (speech[np.newaxis, : 4 * RATE], RATE)
    first = pipeline.run_sync(part)
    assert first is not None
    assert pipeline.run_sync(part) == first


def test_it_is_made_from_manifests(speech):
    node = SileroVADNode(threshold=0.4, output="segments", name="vad")
    entry = node.to_manifest()
    assert entry["node_type"] == "SileroVADNode"
    assert (entry["params"]["threshold"], entry["params"]["output"]) == (0.4, "segments")
    manifest = Pipeline([node]).serialize()
    part = (speech[np.newaxis, : 4 * RATE], RATE)
    assert Pipeline.from_manifest(manifest).run_sync(part) == Pipeline([node]).run_sync(part)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"output": "text"}, "output 'text' must be one of audio, frames, segments"),
        ({"threshold": 0}, "threshold 0 must be more than 0 and at most 1"),
        ({"neg_threshold": 0.6}, "neg_threshold 0.6 must be more than 0 and at most threshold"),
        ({"speech_pad_ms": -1}, "speech_pad_ms -1 must be 0 or more milliseconds"),
        ({"min_silence_duration_ms": float("inf")}, "min_silence_duration_ms inf must be"),
    ],
)
def test_settings_that_cannot_be_are_refused(params, message):
    with pytest.raises(ConfigurationError, match=message):
        SileroVADNode(**params)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (["text"], "Input must be a tuple of .audio_data, sample_rate., got str"),
        ([(np.zeros((0, 10), np.float32), 16000)], "takes audio of one channel or more, got none"),
        ([(np.zeros((1, 10), np.float32), 44100)], "takes 8000 or 16000 Hz, not 44100: put AudioResampleNode before it"),
        ([(np.zeros((1, 10)), 8000), (np.zeros((1, 10)), 16000)], "the stream changed from 8000 to 16000 Hz"),
    ],
)
def test_what_is_no_audio_for_it_is_an_error(items, message, mode):
    with pytest.raises(NodeError, match=message) as raised:
        run_node(SileroVADNode(), items, mode=mode)
    assert isinstance(raised.value.__cause__, InvalidInputError)


def test_another_file_of_the_model_may_be_given(speech, tmp_path):
    copy = tmp_path / "mine.onnx"
    copy.write_bytes(weights_of_package().read_bytes())
    part = speech[:RATE]
    assert found(part, "frames", model_path=copy) == found(part, "frames")
    with pytest.raises(NodeError, match="model_path: there is no file .*nonesuch.onnx"):
        found(part, "frames", model_path=tmp_path / "nonesuch.onnx")


@pytest.mark.parametrize(
    ("missing", "message"),
    [("onnxruntime", "pip install onnxruntime"), ("silero_vad", "pip install --no-deps silero-vad")],
)
def test_what_is_not_installed_is_named(missing, message):
    code = f"""
import sys
sys.modules["{missing}"] = None
from remotemedia import Pipeline
from remotemedia.nodes import SileroVADNode
try:
    Pipeline([SileroVADNode()]).run_sync([])
except RuntimeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert message in done.stdout, done.stderr


def test_it_needs_no_torch():
    code = """
import json, sys
sys.modules["torch"] = None
import numpy as np
from remotemedia import Pipeline
from remotemedia.nodes import SileroVADNode
print(json.dumps(Pipeline([SileroVADNode(output="frames")]).run_sync((np.zeros((1, 512), np.float32), 16000))))
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120)
    assert json.loads(done.stdout)["is_speech"] is False, done.stderr


def test_the_package_names_it():
    assert nodes.SileroVADNode is SileroVADNode
