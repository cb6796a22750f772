"""Libraries that media pipelines are written with, each in a pipeline: their objects pass between nodes as they are, and
what they compute is what mathematics says."""

import cv2
import numpy as np
import pandas as pd
import pytest
import scipy.signal
from sklearn.linear_model import LogisticRegression
from test_audio_nodes import tones

from remotemedia import Node, Pipeline
from remotemedia.testing import TestSink, assert_audio_close, run_node


class Frames(Node):
    """Rows of `sensor` and `value` as a DataFrame."""

    def process(self, data):
        self.made = pd.DataFrame(data, columns=["sensor", "value"])
        return self.made


class Means(Node):
    """The mean value per sensor."""

    def process(self, data):
        self.got = data
        return data.groupby("sensor")["value"].mean()


def test_pandas_frames_pass_between_nodes_as_the_same_object(mode):
    frames, means, sink = Frames(), Means(), TestSink()
    rows = [["a", 1.0], ["b", 10.0], ["a", 3.0]]
    series = Pipeline([frames, means, sink], mode=mode).run_sync({"sensor": ["a", "b", "a"], "value": [1.0, 10.0, 3.0]})
    assert means.got is frames.made
    assert series is sink.received[0]
    assert isinstance(series, pd.Series) and series.to_dict() == {"a": 2.0, "b": 10.0}
    pd.testing.assert_frame_equal(frames.made, pd.DataFrame(rows, columns=["sensor", "value"]))


class LowPass(Node):
    """A Butterworth low-pass that goes on from chunk to chunk."""

    def __init__(self, cutoff_hz, **kwargs):
        super().__init__(**kwargs)
        self.cutoff_hz = cutoff_hz
        self.state = None

    def process(self, data):
        samples, rate = data
        sections = scipy.signal.butter(8, self.cutoff_hz, fs=rate, output="sos")
        if self.state is None:
            self.state = np.zeros((len(sections), samples.shape[0], 2))
        out, self.state = scipy.signal.sosfilt(sections, samples, axis=1, zi=self.state)
        return out.astype(np.float32), rate


def test_a_scipy_filter_passes_the_low_tone_and_stops_the_high_one(mode):
    rate = 16000
    mixed = tones(rate, 1.0, 200, 6000)
    chunks = [(mixed[:, begin : begin + 320], rate) for begin in range(0, rate, 320)]
    out = run_node(LowPass(1000), chunks, mode=mode)
    joined = np.concatenate([samples for samples, _ in out], axis=1)
    # |H| of an 8th order Butterworth filter: at 200 Hz 1 - 1e-11, at 6 kHz (warped) below -160 dB. What is left is the
    # low tone, half of the mix, shifted in phase: in step with the two quarter-phases of 200 Hz after its transient.
    settled = joined[0, rate // 2 :].astype(np.float64)
    times = np.arange(settled.size) / rate
    basis = np.stack([np.sin(2 * np.pi * 200 * times), np.cos(2 * np.pi * 200 * times)])
    weights = 2 / settled.size * basis @ settled
    assert np.hypot(*weights) == pytest.approx(0.5, abs=1e-4)
    assert_audio_close((weights @ basis).astype(np.float32), settled.astype(np.float32), snr_db=80)


class Grey(Node):
    """Colour images as grey ones."""

    def process(self, data):
        return cv2.cvtColor(data, cv2.COLOR_BGR2GRAY)


class Box(Node):
    """The bounding box of what is brighter than half: (x, y, width, height)."""

    def process(self, data):
        _, mask = cv2.threshold(data, 127, 255, cv2.THRESH_BINARY)
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        return tuple(cv2.boundingRect(contours[0]))


def test_opencv_finds_the_rectangle_in_the_picture(mode):
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[10:30, 20:25] = (255, 255, 255)
    assert Pipeline([Grey(), Box()], mode=mode).run_sync(picture) == (20, 10, 5, 20)


class Classifier(Node):
    """Tells which of two bands a chunk's energy is in, with a model that is fitted on the way."""

    def initialize(self):
        low, high = ([_bands(tones(8000, 0.1, hz)) for hz in many] for many in ((200, 300, 400), (2500, 3000, 3500)))
        self.model = LogisticRegression().fit(low + high, ["low"] * 3 + ["high"] * 3)

    def process(self, data):
        samples, _ = data
        return str(self.model.predict([_bands(samples)])[0])


def _bands(samples):
    power = np.abs(np.fft.rfft(samples[0])) ** 2
    half = power.size // 2
    return [float(power[:half].sum() / power.sum()), float(power[half:].sum() / power.sum())]


def test_an_sklearn_model_classifies_chunks(mode):
    chunks = [(tones(8000, 0.1, hz), 8000) for hz in (250, 3200, 350)]
    assert run_node(Classifier(), chunks, mode=mode) == ["low", "high", "low"]
