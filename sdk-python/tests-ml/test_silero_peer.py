"""The segments of SileroVADNode are those of the package silero-vad, with its own model code on torch."""

import numpy as np
import pytest
import silero_vad
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from silero_vad.utils_vad import get_speech_timestamps_from_probs

from remotemedia.nodes import SileroVADNode
from remotemedia.nodes.vad_segments import Segmenter, SegmentRules
from remotemedia.testing import run_node

RATE = 16000


def voiced(seconds, seed):
    """Something that the model takes for speech now and then: pulses of a throat through three resonances."""
    rng = np.random.default_rng(seed)
    times = np.arange(int(seconds * RATE)) / RATE
    pitch = 120 + 20 * np.sin(2 * np.pi * 0.7 * times) + rng.normal(0, 1)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    sound = np.zeros_like(times)
    for number in range(1, 40):
        hz = 120 * number
        gain = sum(np.exp(-(((hz - formant) / 150) ** 2)) for formant in (500 + 200 * np.sin(7 * times), 1500, 2500))
        sound += gain * np.sin(number * phase)
    syllables = np.clip(np.sin(2 * np.pi * 3.1 * times), 0, 1) * (np.sin(2 * np.pi * 0.23 * times + seed) > -0.2)
    mixed = 0.1 * sound * syllables + 0.001 * rng.standard_normal(times.size)
    return mixed.astype(np.float32)


@pytest.mark.parametrize("rate", [16000, 8000])
@pytest.mark.parametrize("seed", [1, 2])
def test_segments_are_those_of_get_speech_timestamps(rate, seed):
    samples = voiced(20, seed)[:: RATE // rate].copy()
    model = silero_vad.load_silero_vad(onnx=True)
    expected = silero_vad.get_speech_timestamps(torch.from_numpy(samples), model, sampling_rate=rate)
    assert len(expected) > 1
    pieces = [(samples[np.newaxis, begin : begin + 500], rate) for begin in range(0, samples.size, 500)]
    segments = run_node(SileroVADNode(output="segments"), pieces)
    found = [(segment["start_ns"] * rate // 10**9, segment["end_ns"] * rate // 10**9) for segment in segments]
    # A sample's time is rounded down to whole nanoseconds.
    wanted = [(segment["start"], segment["end"]) for segment in expected]
    assert len(found) == len(wanted)
    np.testing.assert_allclose(found, wanted, atol=1)


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from([0.0, 0.3, 0.4, 0.5, 0.9]), min_size=1, max_size=80),
    st.sampled_from([0, 32, 250]),
    st.sampled_from([0, 32, 100, 300]),
    st.sampled_from([0, 30, 200]),
    st.integers(1, 512),
)
def test_the_rules_are_those_of_the_package(probabilities, min_speech_ms, min_silence_ms, pad_ms, rest):
    samples = 512 * (len(probabilities) - 1) + rest
    expected = get_speech_timestamps_from_probs(
        probabilities, sampling_rate=RATE, min_speech_duration_ms=min_speech_ms, min_silence_duration_ms=min_silence_ms,
        speech_pad_ms=pad_ms, audio_length_samples=samples,
    )  # fmt: skip
    rules = SegmentRules(0.5, 0.35, min_speech_ms * 16.0, min_silence_ms * 16.0, pad_ms * 16.0)
    segmenter = Segmenter(rules, 512)
    found = [segment for probability in probabilities for segment in segmenter.push(probability)]
    found += segmenter.finish(samples)
    assert [(segment.start, segment.end) for segment in found] == [(one["start"], one["end"]) for one in expected]
