"""Features of one speech segment: pitch, brightness, level and length. Plain Python with numpy; the pipeline names the
class as `features:SpeechFeatures`."""

import numpy as np


class SpeechFeatures:
    """Median pitch, spectral centroid, RMS level and duration of a speech segment.

    Takes a segment as `(samples[channels, frames], sample_rate)` and returns a dict. `pitch_hz` is None for a segment
    without voiced speech, every feature but the duration is None for digital silence.
    """

    remotemedia_inputs = {"in": "audio"}
    remotemedia_outputs = {"out": "json"}

    def __init__(self, min_pitch_hz: float = 70.0, max_pitch_hz: float = 400.0, voicing_threshold: float = 0.55):
        if not 0.0 < min_pitch_hz < max_pitch_hz:
            raise ValueError(f"min_pitch_hz {min_pitch_hz} must be above 0 and below max_pitch_hz {max_pitch_hz}")
        self.min_pitch_hz = min_pitch_hz
        self.max_pitch_hz = max_pitch_hz
        self.voicing_threshold = voicing_threshold

    def process(self, segment):
        samples, sample_rate = segment
        mono = np.mean(samples, axis=0, dtype=np.float64)
        rms = float(np.sqrt(np.mean(mono * mono))) if mono.size else 0.0
        silent = not rms > 0.0
        return {
            "pitch_hz": None if silent else self._pitch_hz(mono, sample_rate),
            "spectral_centroid_hz": None if silent else _centroid_hz(mono, sample_rate),
            "rms_dbfs": None if silent else round(20.0 * float(np.log10(rms)), 2),
            "duration_ms": round(1000.0 * mono.size / sample_rate, 3),
        }

    def _pitch_hz(self, mono, sample_rate):
        """The median over the voiced frames of the pitch by normalised autocorrelation (Boersma 1993, "Accurate
        short-term analysis of the fundamental frequency"): the autocorrelation of a windowed frame, divided by that of
        the window, is 1 at the period of a periodic signal and falls with its noise."""
        length = int(3.0 * sample_rate / self.min_pitch_hz)  # three periods of the lowest pitch
        if mono.size < length:
            return None
        frames = np.lib.stride_tricks.sliding_window_view(mono, length)[:: max(1, sample_rate // 100)]
        frames = frames - frames.mean(axis=1, keepdims=True)
        energies = np.sum(frames * frames, axis=1)
        frames = frames[energies > 0.01 * energies.max()]  # within 20 dB of the loudest
        window = np.hanning(length + 1)[:-1]
        correlation = _autocorrelation(frames * window)
        peak = correlation[:, :1]
        if not np.all(peak > 0.0):
            return None
        shape = _autocorrelation(window[np.newaxis])
        low = max(2, int(sample_rate / self.max_pitch_hz))
        high = min(int(np.ceil(sample_rate / self.min_pitch_hz)), length - 2)
        if high <= low:
            return None
        normal = (correlation / peak) / (shape / shape[:, :1])
        # The peaks between whole lags, by a parabola through three values.
        before, top, after = (normal[:, low + offset : high + 1 + offset] for offset in (-1, 0, 1))
        bend = np.minimum(before - 2.0 * top + after, -1e-12)
        shift = 0.5 * (before - after) / bend
        height = np.where((top >= before) & (top > after), top - 0.25 * (before - after) * shift, -1.0)
        # A period's multiples correlate as well as the period: 0.03 per octave favours the shortest.
        lags = np.arange(low, high + 1) + shift
        best = np.argmax(height - 0.03 * np.log2(np.maximum(lags, 1.0)), axis=1)
        rows = np.arange(len(best))
        voiced = height[rows, best] >= self.voicing_threshold
        if np.count_nonzero(voiced) < max(3, 0.1 * len(best)):
            return None
        return round(float(np.median(sample_rate / lags[rows, best][voiced])), 1)


def _autocorrelation(frames):
    """The autocorrelation of each row, for lags from 0 to its length."""
    size = 1 << (2 * frames.shape[1] - 1).bit_length()
    spectrum = np.fft.rfft(frames, size, axis=1)
    return np.fft.irfft(spectrum * spectrum.conj(), size, axis=1)[:, : frames.shape[1]]


def _centroid_hz(mono, sample_rate):
    """The mean frequency of the magnitude spectrum, weighted by magnitude, over frames of 32 ms."""
    length = min(mono.size, max(2, sample_rate * 32 // 1000))
    frames = np.lib.stride_tricks.sliding_window_view(mono, length)[:: max(1, length // 2)]
    window = np.hanning(length + 1)[:-1]
    magnitudes = np.abs(np.fft.rfft(frames * window, axis=1)).sum(axis=0)
    total = float(magnitudes.sum())
    if not total > 0.0:
        return None
    return round(float(np.fft.rfftfreq(length, 1.0 / sample_rate) @ magnitudes) / total, 1)
