"""Clean synthetic speech, background noises and their exact timing, for test recordings.

Owns: calling espeak-ng, resampling its output, marking where the clean voice is
active, five kinds of background noise, and writing 16-bit wav files. Everything
random comes from the numpy generator that the caller passes in.

Does not own: which voices, texts and levels make up a recording (the make_*.py
scripts decide that), and no voice activity detector: the true segments come from the
level of the clean synthesis, before any noise is added.
"""

import io
import shutil
import subprocess
import sys
import wave

import numpy as np

TRUTH_HOP_S = 0.010  # resolution of the true segments
TRUTH_RANGE_DB = 40.0  # active: within this many dB of the loudest 10 ms of its utterance
TRUTH_BRIDGE_S = 0.200  # shorter gaps (stop closures, breaths) belong to the speech


def require_espeak():
    """Ends the program with a plain sentence when espeak-ng is not installed."""
    if shutil.which("espeak-ng") is None:
        sys.exit("espeak-ng is not installed: run `apt-get install espeak-ng`")


def speak(voice, text, words_per_minute, pitch, sample_rate_hz):
    """Returns `text` spoken by an espeak-ng voice: float64, mono, silence trimmed."""
    command = ["espeak-ng", "-v", voice, "-s", str(words_per_minute), "-p", str(pitch), "--stdout", text]
    wav_bytes = subprocess.run(command, check=True, capture_output=True).stdout
    # espeak-ng streams its wav, so the header's length is a placeholder: read what is there.
    with wave.open(io.BytesIO(wav_bytes)) as reader:
        source_rate_hz = reader.getframerate()
        pcm = reader.readframes(len(wav_bytes))
    samples = np.frombuffer(pcm[: len(pcm) // 2 * 2], dtype="<i2") / 32768.0
    return trim(resample(samples, source_rate_hz, sample_rate_hz), sample_rate_hz)


def resample(samples, from_hz, to_hz):
    """Band-limited resampling of a whole signal by cutting or padding its spectrum."""
    if from_hz == to_hz:
        return samples
    padded = np.concatenate([samples, np.zeros(-len(samples) % from_hz)])
    length = len(padded) * to_hz // from_hz
    spectrum = np.fft.rfft(padded)
    resized = np.zeros(length // 2 + 1, dtype=complex)
    kept = min(len(spectrum), len(resized))
    resized[:kept] = spectrum[:kept]
    result = np.fft.irfft(resized, length) * (length / len(padded))
    return result[: round(len(samples) * to_hz / from_hz)]


def trim(samples, sample_rate_hz):
    """Cuts the silence before the first and after the last active 10 ms."""
    segments = active_segments(samples, sample_rate_hz)
    return samples[segments[0][0] : segments[-1][1]]


def active_segments(samples, sample_rate_hz):
    """Returns [(start, end)] in samples: where one clean utterance is audible.

    A hop of 10 ms is active when its RMS is within 40 dB of the utterance's loudest
    hop; gaps shorter than 200 ms are part of the speech.
    """
    hop = round(TRUTH_HOP_S * sample_rate_hz)
    hops = len(samples) // hop
    level = np.sqrt(np.mean(samples[: hops * hop].reshape(hops, hop) ** 2, axis=1))
    active = np.flatnonzero(level > level.max() * 10 ** (-TRUTH_RANGE_DB / 20))
    segments = []
    for index in active:
        if segments and (index - segments[-1][1]) * hop < TRUTH_BRIDGE_S * sample_rate_hz:
            segments[-1][1] = index + 1
        else:
            segments.append([index, index + 1])
    return [(start * hop, end * hop) for start, end in segments]


def rms(samples):
    return float(np.sqrt(np.mean(samples**2)))


def coloured_noise(rng, length, sample_rate_hz, exponent):
    """Gaussian noise whose power falls as 1/f**exponent above 20 Hz (0 white, 1 pink)."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    frequency_hz = np.maximum(np.fft.rfftfreq(length, 1 / sample_rate_hz), 20.0)
    return np.fft.irfft(spectrum * frequency_hz ** (-exponent / 2), length)


def hum(rng, length, sample_rate_hz):
    """Mains hum: 50 or 60 Hz with 30 harmonics, slowly beating, over a little hiss."""
    time_s = np.arange(length) / sample_rate_hz
    mains_hz = rng.choice([50.0, 60.0])
    signal = np.zeros(length)
    for harmonic in range(1, 31):
        level = 10 ** (-rng.uniform(0, 12) / 20) / harmonic**0.7
        beat = 1 + 0.2 * np.sin(2 * np.pi * rng.uniform(0.05, 0.4) * time_s + rng.uniform(0, 2 * np.pi))
        signal += level * beat * np.sin(2 * np.pi * mains_hz * harmonic * time_s + rng.uniform(0, 2 * np.pi))
    hiss = coloured_noise(rng, length, sample_rate_hz, 0.0)
    return signal / rms(signal) + 0.03 * hiss / rms(hiss)


def clicks(rng, length, sample_rate_hz):
    """Keyboard-like clicks, about four a second, each a decaying burst, over a little hiss."""
    signal = np.zeros(length)
    position = 0
    while True:
        position += max(1, int(rng.exponential(0.25) * sample_rate_hz))
        if position >= length:
            break
        decay_s = rng.uniform(0.001, 0.008)
        burst_length = min(int(decay_s * 6 * sample_rate_hz), length - position)
        time_s = np.arange(burst_length) / sample_rate_hz
        body = rng.standard_normal(burst_length) + np.sin(2 * np.pi * rng.uniform(800, 5000) * time_s)
        signal[position : position + burst_length] += rng.uniform(0.3, 1.0) * body * np.exp(-time_s / decay_s)
    hiss = coloured_noise(rng, length, sample_rate_hz, 0.0)
    return signal / rms(signal) + 0.03 * hiss / rms(hiss)


def babble(rng, length, utterances, talkers=8):
    """A room of people talking at once: `talkers` endless talks of equal loudness."""
    signal = np.zeros(length)
    for _ in range(talkers):
        talk = np.zeros(0)
        while len(talk) < 2 * length:
            utterance = utterances[rng.integers(len(utterances))]
            talk = np.concatenate([talk, utterance / rms(utterance), np.zeros(int(rng.integers(1, len(utterance) // 4)))])
        start = int(rng.integers(0, length))
        signal += talk[start : start + length]
    return signal


def write_wav(path, samples, sample_rate_hz):
    """Writes mono float samples as 16-bit wav; refuses to clip."""
    peak = np.max(np.abs(samples))
    if peak >= 1.0:
        sys.exit(f"{path}: the mix peaks at {peak:.2f} of full scale and would clip")
    with wave.open(str(path), "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(sample_rate_hz)
        writer.writeframes(np.rint(samples * 32767.0).astype("<i2").tobytes())


def to_ns(sample_index, sample_rate_hz):
    return round(sample_index * 1_000_000_000 / sample_rate_hz)
