"""The audio nodes, against closed forms."""

import numpy as np
import pytest

from remotemedia import NodeError, nodes
from remotemedia.nodes import audio
from remotemedia.nodes.audio import (
    AudioBuffer,
    AudioResampleNode,
    AudioResampler,
    AudioTransform,
    ExtractAudioDataNode,
    FormatConverterNode,
    VADNode,
    VoiceActivityDetector,
)
from remotemedia.testing import assert_audio_close, run_node


def run(node, *items):
    return run_node(node, items, mode="python_cpu")


def tones(rate, seconds, *frequencies_hz, channels=1):
    """A sum of sines; the same at any rate."""
    times = np.arange(round(rate * seconds)) / rate
    mono = sum(np.sin(2 * np.pi * frequency * times + frequency) for frequency in frequencies_hz) / len(frequencies_hz)
    return np.stack([mono / (channel + 1) for channel in range(channels)]).astype(np.float32)


@pytest.mark.parametrize(
    ("rate", "target", "highest_hz"),
    [(48000, 16000, 7000), (16000, 48000, 7000), (44100, 16000, 7000), (44100, 48000, 19000), (8000, 44100, 3500)],
)
def test_resampled_tones_are_tones(rate, target, highest_hz):
    frequencies = (200, 1000, highest_hz)
    samples, new_rate = run(AudioResampleNode(target), (tones(rate, 0.5, *frequencies, channels=2), rate))[0]
    expected = tones(target, 0.5, *frequencies, channels=2)
    assert (new_rate, samples.dtype, samples.shape) == (target, np.float32, expected.shape)
    # At its ends a recording is cut off, and so not band-limited.
    edge = target // 20
    assert_audio_close(samples[:, edge:-edge], expected[:, edge:-edge], snr_db=90)


def test_what_would_alias_is_gone():
    loud = tones(48000, 0.5, 9000, 15000, 23000)
    samples, _ = run(AudioResampleNode(16000), (loud, 48000))[0]
    assert 20 * np.log10(np.abs(samples[:, 800:-800]).max()) < -120


@pytest.mark.parametrize(("quality", "flat"), [("low", 0.6), ("medium", 0.8), ("high", 0.9)])
def test_qualities_say_what_passes(quality, flat):
    frequency = flat * 8000 * 0.99
    samples, _ = run(AudioResampleNode(16000, quality=quality), (tones(48000, 0.5, frequency), 48000))[0]
    assert_audio_close(samples[:, 800:-800], tones(16000, 0.5, frequency)[:, 800:-800], snr_db=80)


@pytest.mark.parametrize(("frames", "wanted"), [(0, 0), (1, 0), (2, 1), (3, 1), (44100, 14700), (100, 33), (101, 34)])
def test_lengths_are_rounded_halves_up(frames, wanted):
    # 2/6: three in, one out; 1.5 of a frame is two.
    assert run(AudioResampleNode(16000), (np.zeros(frames, np.float32), 48000))[0][0].shape == (1, wanted)
    half = run(AudioResampleNode(8000), (np.zeros(3, np.float32), 16000))[0][0]
    assert half.shape == (1, 2)


def test_equal_rates_change_nothing_and_integers_become_floats():
    given = tones(16000, 0.1, 440)
    assert run(AudioResampleNode(), (given, 16000))[0][0] is given
    whole = np.array([[-32768, 0, 16384]], np.int16)
    assert run(AudioResampleNode(), (whole, 16000))[0][0].tolist() == [[-1.0, 0.0, 0.5]]


def test_samples_that_are_not_finite_count_as_silence():
    broken = np.zeros((1, 4800), np.float32)
    broken[0, 1000:1003] = [np.nan, np.inf, -np.inf]
    assert not run(AudioResampleNode(16000), (broken, 48000))[0][0].any()


def test_both_names_of_the_rate_are_understood():
    for node in (AudioResampleNode(target_rate=8000), AudioResampleNode(target_sample_rate=8000), AudioResampleNode(8000)):
        assert node.to_manifest()["params"] == {"target_sample_rate": 8000, "quality": "high"}
    assert AudioResampler().target_sample_rate == 44100
    for rate in (0, 1999, 768001, 16000.5, True):
        with pytest.raises(ValueError, match="target_sample_rate"):
            AudioResampleNode(rate)
    with pytest.raises(ValueError, match="quality"):
        AudioResampleNode(quality="best")


@pytest.mark.parametrize("node", [AudioResampleNode(name="n"), VADNode(name="n"), FormatConverterNode(name="n")])
@pytest.mark.parametrize("given", ["text", (1, 2), (np.zeros(3), 16000.5), (np.zeros((1, 1, 1)), 8000), (np.zeros(3), 0)])
def test_what_is_no_audio_is_answered(node, given):
    (answer,) = run(node, given)
    assert set(answer) == {"error", "input", "processed_by"}
    assert answer["processed_by"] == f"{type(node).__name__}[n]"


def test_transform_changes_rate_and_channels():
    mono, stereo = tones(16000, 0.1, 440), tones(16000, 0.1, 440, channels=2)

    def shape(channels, given):
        (result,) = run(AudioTransform(output_sample_rate=16000, output_channels=channels), given)
        return result

    assert shape(2, (mono, 16000))[0].tolist() == [mono[0].tolist()] * 2
    np.testing.assert_allclose(shape(1, (stereo, 16000))[0], stereo.mean(axis=0, keepdims=True), atol=1e-7)
    assert shape(2, (np.repeat(mono, 5, axis=0), 16000))[0].shape == (2, 1600)
    samples, rate, about = shape(1, (mono, 16000, {"session_id": "s"}))
    assert (samples.shape, rate, about) == ((1, 1600), 16000, {"session_id": "s"})
    assert run(AudioTransform(), (mono[0], 16000))[0][0].shape == (2, 4410)
    assert run(AudioTransform(), "text") == ["text"]
    with pytest.raises(ValueError, match="output_channels"):
        AudioTransform(output_channels=0)


@pytest.mark.parametrize("cuts", [[10], [3, 4, 3], [1] * 10, [7, 3]])
def test_buffers_do_not_depend_on_the_cuts(cuts):
    samples, items, at = np.arange(20, dtype=np.float32).reshape(2, 10), [], 0
    for cut in cuts:
        items.append((samples[:, at : at + cut], 8000))
        at += cut
    pieces = run(AudioBuffer(4), *items)
    assert [piece.shape for piece, _ in pieces] == [(2, 4), (2, 4), (2, 2)]
    assert np.concatenate([piece for piece, _ in pieces], axis=1).tolist() == samples.tolist()
    assert {rate for _, rate in pieces} == {8000}


def test_a_change_of_format_ends_a_piece():
    pieces = run(AudioBuffer(4), (np.zeros(3), 8000), "noise", (np.zeros(2), 16000), (np.zeros((2, 5)), 16000))
    assert [(piece.shape, rate) for piece, rate in pieces] == [
        ((1, 3), 8000), ((1, 2), 16000), ((2, 4), 16000), ((2, 1), 16000),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="buffer_size_samples"):
        AudioBuffer(0)


@pytest.mark.parametrize(
    ("target", "given", "expected"),
    [
        ("i16", np.float32([1.0, -1.0, 0.5, 1.5 / 32768, 2.5 / 32768, 9.0, -9.0, np.nan, np.inf]),
         [32767, -32768, 16384, 2, 2, 32767, -32768, 0, 32767]),
        ("i16", np.int32([2**31 - 1, -(2**31), 65536 * 3, 98304]), [32767, -32768, 3, 2]),
        ("i32", np.float32([1.0, -1.0, 0.5]), [2**31 - 1, -(2**31), 2**30]),
        ("i32", np.int16([1, -32768]), [65536, -(2**31)]),
        ("f32", np.int16([-32768, 16384]), [-1.0, 0.5]),
        ("f32", np.int32([-(2**31), 2**30]), [-1.0, 0.5]),
        ("f32", np.float64([0.25]), [0.25]),
    ],
)  # fmt: skip
def test_formats_are_rounded_and_saturated(target, given, expected):
    samples, rate = run(FormatConverterNode(target), (given, 8000))[0]
    assert samples.tolist() == [expected]
    assert (samples.dtype.name, rate) == ({"i16": "int16", "i32": "int32", "f32": "float32"}[target], 8000)


def test_formats_have_names():
    assert FormatConverterNode("I16", runtime_hint="python").to_manifest() == {
        "node_type": "FormatConverterNode",
        "params": {"target_format": "I16"},
        "runtime_hint": "python",
    }
    with pytest.raises(ValueError, match="Unsupported format: f64"):
        FormatConverterNode("f64")


def test_samples_are_extracted_flat():
    assert run(ExtractAudioDataNode(), (np.array([[1.0, 2.0], [3.0, 4.0]]), 8000))[0].tolist() == [1, 2, 3, 4]
    assert run(ExtractAudioDataNode(), "text") == []


def speech_of(levels, rate=8000):
    """One frame of 30 ms per level, as a square wave: its RMS is the level."""
    frame = np.tile([1.0, -1.0], rate * 30 // 2000)
    return np.concatenate([level * frame for level in levels]).astype(np.float32), rate


def test_frames_above_the_threshold_are_speech():
    samples, rate, said = run(VADNode(), speech_of([0.0, 0.019, 0.021, 0.5]))[0]
    assert (samples.shape, rate) == ((1, 960), 8000)
    assert said == {"is_speech": True, "speech_frames": 2, "total_frames": 4}
    assert run(VADNode(energy_threshold=0.6), speech_of([0.5]))[0][2]["is_speech"] is False
    assert run(VADNode(), (np.zeros(10, np.float32), 8000))[0][2] == {
        "is_speech": False, "speech_frames": 0, "total_frames": 0,
    }  # fmt: skip
    with pytest.raises(ValueError, match="frame_duration_ms"):
        VADNode(frame_duration_ms=0)


def test_the_detector_follows_the_noise():
    quiet, loud = speech_of([0.01] * 10), speech_of([0.01] * 5 + [0.4] * 5)
    results = run(VoiceActivityDetector(), quiet, loud)
    assert [said["is_speech"] for _, said in results] == [False, True]
    (_, said) = results[1]
    assert said["speech_ratio"] == 0.5
    # 30 % of twenty energies, of which fifteen are 0.01.
    assert said["adaptive_threshold"] == pytest.approx(0.7 * 2.5 * 0.01 + 0.3 * 0.02)
    assert [audio_item[0].shape for audio_item, _ in results] == [(1, 2400), (1, 2400)]


def test_the_detector_can_filter_and_be_silent():
    quiet, loud = speech_of([0.0] * 10), speech_of([0.0] * 5 + [0.4] * 5)
    (only,) = run(VoiceActivityDetector(filter_mode=True), quiet, "noise", loud)
    assert np.abs(only[0]).max() == np.float32(0.4)
    bare = run(VoiceActivityDetector(include_metadata=False), quiet, (*loud, {"session_id": "s"}))
    assert [len(item) for item in bare] == [2, 3]
    assert bare[1][2] == {"session_id": "s"}


def test_the_old_places_of_names():
    for name in audio.__all__:
        assert getattr(audio, name) is getattr(nodes, name)


def test_a_centroid_is_that_of_its_tone():
    (said,) = run(nodes.SpectralCentroid(), (tones(16000, 0.5, 1000), 16000))
    assert said["spectral_centroid_hz"] == pytest.approx(1000, abs=1)
    with pytest.raises(NodeError, match="takes audio"):
        run(nodes.SpectralCentroid(), "text")
