"""Makes the tone fixtures: one second of 0.5·sin(2π·440·t) left and 0.25·sin(2π·1000·t) right, encoded by ffmpeg
(libmp3lame, libvorbis, its own flac and ADPCM encoders). The tests compute the same tone and compare.

    python3 make_tones.py        # needs ffmpeg; the results are committed
"""

import math
import pathlib
import struct
import subprocess
import wave

RATE_HZ = 44100
FRAMES = 44100
HERE = pathlib.Path(__file__).parent


def tone() -> bytes:
    frames = bytearray()
    for n in range(FRAMES):
        left = round(0.5 * 32767 * math.sin(2 * math.pi * 440 * n / RATE_HZ))
        right = round(0.25 * 32767 * math.sin(2 * math.pi * 1000 * n / RATE_HZ))
        frames += struct.pack("<hh", left, right)
    return bytes(frames)


def main() -> None:
    source = HERE / "tone.wav"
    with wave.open(str(source), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes(tone())
    for name, options in {
        "tone.flac": ["-c:a", "flac"],
        "tone.mp3": ["-c:a", "libmp3lame", "-b:a", "128k"],
        "tone.ogg": ["-c:a", "libvorbis", "-q:a", "5"],
        "tone_adpcm.wav": ["-c:a", "adpcm_ms"],
    }.items():
        command = ["ffmpeg", "-v", "error", "-y", "-i", str(source), "-map_metadata", "-1", "-fflags", "+bitexact"]
        subprocess.run([*command, "-flags:a", "+bitexact", *options, str(HERE / name)], check=True)
    source.unlink()


if __name__ == "__main__":
    main()
