"""Whole jobs of the release binary, as a user starts them: wall time and peak memory of processes.

    python3 benches/whole_job.py target/release/remotemedia target/whole-job.json

- 10 minutes of 44.1 kHz stereo wav -> mono 16 kHz -> VAD -> segments as JSON, with both engines, each run paired with
  ffmpeg doing the same (`-ac 1 -ar 16000 -af silencedetect`): the medians of the paired wall ratios.
- a 2-hour stereo wav through the same pipeline: peak memory.
- a trivial pipeline (one PassThrough node, one second of audio): wall time from start to exit.

Needs ffmpeg on the PATH. The recordings are the demo's speech, repeated; they are made in a temporary folder.
"""

import array
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SPEECH = ROOT / "docs/examples/speech/speech.wav"
PIPELINE = ROOT / "docs/examples/vad/pipeline.json"
RATE_HZ = 44_100
PAIRS = 7
TRIVIAL_RUNS = 21


def make_stereo(path: Path, seconds: int) -> None:
    """The demo's speech over and over, as 16-bit stereo whose right channel is 6 dB below the left."""
    with wave.open(str(SPEECH)) as speech:
        assert speech.getframerate() == RATE_HZ and speech.getnchannels() == 1
        mono = array.array("h", speech.readframes(speech.getnframes()))
    stereo = array.array("h", bytes(4 * len(mono)))
    stereo[0::2] = mono
    stereo[1::2] = array.array("h", (sample // 2 for sample in mono))
    block, left = stereo.tobytes(), 4 * RATE_HZ * seconds
    with wave.open(str(path), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.setnframes(RATE_HZ * seconds)
        while left > 0:
            out.writeframesraw(block[:left])
            left -= len(block)


def measure(command: list) -> tuple[float, float]:
    """Wall seconds and peak resident MiB of one process that must succeed."""
    began = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - began
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{errors.decode(errors='replace')}")
    return took, usage.ru_maxrss / 1024


def paired(ours: list, theirs: list) -> dict:
    """Both commands in turn, once unmeasured to warm the page cache, then PAIRS times."""
    measure(ours), measure(theirs)
    runs = [(measure(ours), measure(theirs)) for _ in range(PAIRS)]
    return {
        "wall_s": statistics.median(ours[0] for ours, _ in runs),
        "ffmpeg_wall_s": statistics.median(theirs[0] for _, theirs in runs),
        "wall_ratio_to_ffmpeg": statistics.median(ours[0] / theirs[0] for ours, theirs in runs),
        "peak_mib": max(ours[1] for ours, _ in runs),
        "ffmpeg_peak_mib": max(theirs[1] for _, theirs in runs),
    }


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    binary, summary = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        recording, out = Path(folder, "ten-minutes.wav"), Path(folder, "segments.jsonl")
        make_stereo(recording, 600)
        ffmpeg = ["ffmpeg", "-nostdin", "-y", "-i", recording, "-ac", "1", "-ar", "16000", "-af", "silencedetect"]
        ffmpeg += ["-f", "null", "-"]
        for engine in ("energy", "earshot"):
            ours = [binary, "run", PIPELINE, "-i", recording, "-o", out, "--set", f"vad.engine={engine}"]
            results[f"ten_minutes_{engine}"] = paired(ours, ffmpeg)
        recording.unlink()
        long = Path(folder, "two-hours.wav")
        make_stereo(long, 7_200)
        wall_s, peak_mib = measure([binary, "run", PIPELINE, "-i", long, "-o", out])
        results["two_hours_stereo"] = {"wall_s": wall_s, "peak_mib": peak_mib}
        long.unlink()
        second, trivial = Path(folder, "second.wav"), Path(folder, "trivial.json")
        make_stereo(second, 1)
        trivial.write_text(json.dumps({
            "version": "v1",
            "metadata": {"name": "trivial"},
            "nodes": [{"id": "pass", "node_type": "PassThrough"}],
            "connections": [],
        }))
        runs = [measure([binary, "run", trivial, "-i", second, "-o", Path(folder, "o.wav")]) for _ in range(TRIVIAL_RUNS)]
        results["trivial"] = {"wall_ms": 1e3 * statistics.median(took for took, _ in runs)}
    summary.parent.mkdir(parents=True, exist_ok=True)
    summary.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
