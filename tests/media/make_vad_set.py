"""Makes the labelled set that grades voice activity detectors.

Usage: python3 make_vad_set.py --out DIR [--seed 1]

25 recordings of 30 s (12.5 minutes), one for each of five noise kinds (white, pink, hum,
clicks, babble) at five signal-to-noise ratios (20, 15, 10, 5, 0 dB): eight espeak-ng
voices in turn with pauses of 0.3 to 2.5 s, 16 kHz mono, 16 bit. The ratio is the RMS of
the voices while they are active over the RMS of the noise. Writes NOISE_SNRdb.wav files
and set.json: {"sample_rate_hz", "recordings": [{"file", "noise", "snr_db",
"duration_ns", "segments": [{"start_ns", "end_ns", "voice"}]}]}.

The segments are measured on the clean voices before the noise is mixed in. The same
seed and the same versions of espeak-ng and numpy give the same bytes.
"""

import argparse
import json
import pathlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import speech_synthesis as synthesis

SAMPLE_RATE_HZ = 16_000
DURATION_S = 30.0
SNR_DB = [20, 15, 10, 5, 0]
NOISES = ["white", "pink", "hum", "clicks", "babble"]
PEAK = 0.9  # the loudest mixes are scaled down to this peak, voices and noise together

# (espeak-ng voice, language of its texts)
VOICES = [
    ("en-gb", "en"),
    ("en-us+f3", "en"),
    ("en-gb-scotland+m3", "en"),
    ("en-gb-x-rp+f2", "en"),
    ("en-029+m7", "en"),
    ("en-us+f4", "en"),
    ("de+f5", "de"),
    ("es+m1", "es"),
]
BABBLE_VOICES = ["en-gb+m2", "en-us+f1", "en-gb-x-gbclan+m4", "en-us+Annie", "en-gb+m5", "en-gb-x-gbcwmd+f2"]

TEXTS = {
    "en": [
        "The train to the coast leaves at nine.",
        "Please turn the volume down a little.",
        "Six grey boxes stood behind the old door.",
        "I think so.",
        "We measured the noise twice, and then once more.",
        "No, not today.",
        "Her brother plays the cello in a small orchestra.",
        "Fresh bread, cheese, and a jug of water.",
        "Can you hear the difference between these two?",
        "Wait.",
        "It has been raining since the early morning.",
        "The lighthouse keeper wrote a letter every week.",
        "Push the green button, then step back.",
        "Thank you very much.",
        "A short message is often the best message.",
        "They found the keys under a pile of newspapers.",
        "What time does the museum close on Sunday?",
        "Four, eight, fifteen, and twenty three.",
        "My uncle keeps bees on the roof of his house.",
        "This sentence is here to fill the silence.",
    ],
    "de": [
        "Der Zug nach Hamburg hat heute Verspätung.",
        "Bitte schließen Sie das Fenster.",
        "Ja, natürlich.",
        "Im Garten blühen schon die ersten Blumen.",
        "Wir treffen uns um halb acht vor dem Theater.",
    ],
    "es": [
        "El tren sale a las nueve de la mañana.",
        "Por favor, cierre la puerta.",
        "Muchas gracias.",
        "Mi hermana vive cerca del mercado.",
        "Hoy hace mucho calor en la ciudad.",
    ],
}


def speak_all(rng):
    """Synthesizes every voice with every text once: {voice: [samples]}, and the babble's talk."""
    jobs = [(voice, text) for voice, language in VOICES for text in TEXTS[language]]
    jobs += [(voice, text) for voice in BABBLE_VOICES for text in TEXTS["en"]]
    prosody = [(int(rng.integers(140, 200)), int(rng.integers(30, 65))) for _ in jobs]
    with ThreadPoolExecutor() as pool:
        spoken = list(pool.map(lambda job, p: synthesis.speak(*job, *p, SAMPLE_RATE_HZ), jobs, prosody))
    talk = {}
    for (voice, _), samples in zip(jobs, spoken):
        talk.setdefault(voice, []).append(samples)
    babble = [samples for voice in BABBLE_VOICES for samples in talk.pop(voice)]
    return talk, babble


def clean_recording(rng, talk):
    """Returns 30 s of voices in turn at unit active RMS, and the segments in samples."""
    track = np.zeros(round(DURATION_S * SAMPLE_RATE_HZ))
    segments = []
    active = []
    position = 0
    while True:
        position += round(rng.uniform(0.3, 2.5) * SAMPLE_RATE_HZ)
        voice, _ = VOICES[rng.integers(len(VOICES))]
        utterance = talk[voice][rng.integers(len(talk[voice]))]
        if position + len(utterance) > len(track):
            break
        spoken = synthesis.active_segments(utterance, SAMPLE_RATE_HZ)
        parts = np.concatenate([utterance[start:end] for start, end in spoken])
        loudness = 10 ** (rng.uniform(-3, 3) / 20)  # nobody speaks at exactly the same level
        track[position : position + len(utterance)] = utterance / synthesis.rms(parts) * loudness
        active.append(parts / synthesis.rms(parts) * loudness)
        segments += [(position + start, position + end, voice) for start, end in spoken]
        position += len(utterance)
    return track / synthesis.rms(np.concatenate(active)), segments


def make_noise(rng, kind, length, babble):
    if kind == "white":
        return synthesis.coloured_noise(rng, length, SAMPLE_RATE_HZ, 0.0)
    if kind == "pink":
        return synthesis.coloured_noise(rng, length, SAMPLE_RATE_HZ, 1.0)
    if kind == "hum":
        return synthesis.hum(rng, length, SAMPLE_RATE_HZ)
    if kind == "clicks":
        return synthesis.clicks(rng, length, SAMPLE_RATE_HZ)
    return synthesis.babble(rng, length, babble)


def make_recording(rng, out, kind, snr_db, talk, babble):
    """Writes one mix and returns its entry for set.json."""
    voices, segments = clean_recording(rng, talk)
    noise = make_noise(rng, kind, len(voices), babble)
    level = 10 ** (rng.uniform(-32, -20) / 20)
    mix = level * (voices + noise / synthesis.rms(noise) * 10 ** (-snr_db / 20))
    mix *= min(1.0, PEAK / np.max(np.abs(mix)))
    file = f"{kind}_{snr_db}db.wav"
    synthesis.write_wav(out / file, mix, SAMPLE_RATE_HZ)
    return {
        "file": file,
        "noise": kind,
        "snr_db": snr_db,
        "duration_ns": synthesis.to_ns(len(mix), SAMPLE_RATE_HZ),
        "segments": [
            {
                "start_ns": synthesis.to_ns(start, SAMPLE_RATE_HZ),
                "end_ns": synthesis.to_ns(end, SAMPLE_RATE_HZ),
                "voice": voice,
            }
            for start, end, voice in segments
        ],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True, metavar="DIR")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    synthesis.require_espeak()
    rng = np.random.default_rng(arguments.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    talk, babble = speak_all(rng)
    recordings = [
        make_recording(rng, arguments.out, kind, snr_db, talk, babble) for kind in NOISES for snr_db in SNR_DB
    ]
    index = {"sample_rate_hz": SAMPLE_RATE_HZ, "seed": arguments.seed, "recordings": recordings}
    (arguments.out / "set.json").write_text(json.dumps(index, indent=1) + "\n")


if __name__ == "__main__":
    main()
