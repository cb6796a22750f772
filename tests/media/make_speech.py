"""Makes the demo recording: four voices, pauses, a fan and mains hum, 44.1 kHz mono.

Usage: python3 make_speech.py [--out docs/examples/speech]

Writes speech.wav (16 bit, < 1 MB) and, beside it, speech.truth.json with the true
speech segments, measured on the clean voices before the background is mixed in.
Needs espeak-ng and numpy; the seed is fixed, so the same versions give the same bytes.
"""

import argparse
import json
import pathlib

import numpy as np

import speech_synthesis as synthesis

SEED = 20
SAMPLE_RATE_HZ = 44_100
DURATION_S = 11.0
SNR_DB = 15.0
SPEECH_RMS = 10 ** (-23 / 20)

# (pause before it in seconds, voice, words per minute, pitch 0-99, text)
SCRIPT = [
    (0.80, "en-gb", 165, 42, "Good morning. Is the line open?"),
    (0.70, "en-us+f3", 170, 58, "Yes, I can hear you well."),
    (1.10, "en-gb-scotland+m3", 160, 35, "Then let us begin with the weather report."),
    (0.60, "en-029+f4", 175, 60, "Rain at noon, sun later."),
]


def clean_track():
    """Returns the voices alone and their true segments in samples."""
    track = np.zeros(round(DURATION_S * SAMPLE_RATE_HZ))
    segments = []
    position = 0
    for pause_s, voice, speed, pitch, text in SCRIPT:
        utterance = synthesis.speak(voice, text, speed, pitch, SAMPLE_RATE_HZ)
        spoken = synthesis.active_segments(utterance, SAMPLE_RATE_HZ)
        active = np.concatenate([utterance[start:end] for start, end in spoken])
        utterance = utterance * (SPEECH_RMS / synthesis.rms(active))
        position += round(pause_s * SAMPLE_RATE_HZ)
        if position + len(utterance) > len(track):
            raise SystemExit(f"the script is longer than {DURATION_S} s at: {text}")
        track[position : position + len(utterance)] += utterance
        segments += [(position + start, position + end, voice, text) for start, end in spoken]
        position += len(utterance)
    return track, segments


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    default = pathlib.Path(__file__).resolve().parents[2] / "docs/examples/speech"
    parser.add_argument("--out", type=pathlib.Path, default=default, metavar="DIR")
    out = parser.parse_args().out
    synthesis.require_espeak()
    rng = np.random.default_rng(SEED)

    speech, segments = clean_track()
    fan = synthesis.coloured_noise(rng, len(speech), SAMPLE_RATE_HZ, 1.0)
    mains = synthesis.hum(rng, len(speech), SAMPLE_RATE_HZ)
    background = fan / synthesis.rms(fan) + 0.3 * mains / synthesis.rms(mains)
    background *= SPEECH_RMS / synthesis.rms(background) * 10 ** (-SNR_DB / 20)

    out.mkdir(parents=True, exist_ok=True)
    synthesis.write_wav(out / "speech.wav", speech + background, SAMPLE_RATE_HZ)
    truth = {
        "sample_rate_hz": SAMPLE_RATE_HZ,
        "snr_db": SNR_DB,
        "segments": [
            {
                "start_ns": synthesis.to_ns(start, SAMPLE_RATE_HZ),
                "end_ns": synthesis.to_ns(end, SAMPLE_RATE_HZ),
                "voice": voice,
                "text": text,
            }
            for start, end, voice, text in segments
        ],
    }
    (out / "speech.truth.json").write_text(json.dumps(truth, indent=2) + "\n")


if __name__ == "__main__":
    main()
