"""AudioResample at quality high against soxr HQ, in one run on one machine, pass by pass in turn.

    python3 benches/resample_vs_soxr.py [SUMMARY.json]

Builds the example `time_resampler` of remotemedia-nodes, makes a virtual environment in target/ with soxr from PyPI, and
prints microseconds per second of audio and their ratio for each pair of rates and channel count. Ours is fed in packets
of 20 ms; soxr is given the whole recording in one call, which is its fastest way.
"""

import json
import os
import statistics
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
ENVIRONMENT = TARGET / "venv-soxr"
ROUNDS = 5

SOXR = """
import json, sys, time
import numpy as np, soxr
seconds, passes = 10, 9
for line in sys.stdin:
    case = json.loads(line)
    frames = case["input_rate_hz"] * seconds
    noise = (np.random.default_rng(1).random((frames, case["channels"])) - 0.5).astype(np.float32)
    noise = noise[:, 0].copy() if case["channels"] == 1 else noise
    best = float("inf")
    for _ in range(passes):
        start = time.perf_counter()
        soxr.resample(noise, case["input_rate_hz"], case["output_rate_hz"], quality="HQ")
        best = min(best, time.perf_counter() - start)
    print(json.dumps({**case, "us_per_second": best * 1e6 / seconds}))
"""


def environment() -> Path:
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        venv.create(ENVIRONMENT, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "-q", "soxr==1.1.0", "numpy"], check=True)
    return python


def example() -> Path:
    build = ["cargo", "build", "--release", "-q", "-p", "remotemedia-nodes", "--example", "time_resampler"]
    subprocess.run(build, cwd=ROOT, check=True)
    return TARGET / "release" / "examples" / "time_resampler"


def lines(command: list, given: str = "") -> list[dict]:
    result = subprocess.run(command, input=given, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in result.stdout.splitlines()]


def main() -> None:
    binary, python = example(), environment()
    rounds = []
    for _ in range(ROUNDS):
        ours = lines([binary])
        cases = [{key: case[key] for key in ("input_rate_hz", "output_rate_hz", "channels")} for case in ours]
        theirs = lines([python, "-c", SOXR], "\n".join(map(json.dumps, cases)))
        rounds.append(list(zip(ours, theirs)))
    results = {}
    for pairs in zip(*rounds):
        case = pairs[0][0]
        name = f"{case['input_rate_hz']}_to_{case['output_rate_hz']}_{case['channels']}ch"
        results[name] = {
            "ours_us_per_s": min(ours["us_per_second"] for ours, _ in pairs),
            "soxr_hq_us_per_s": min(theirs["us_per_second"] for _, theirs in pairs),
            "ratio": statistics.median(ours["us_per_second"] / theirs["us_per_second"] for ours, theirs in pairs),
        }
        print(f"{name:26} {results[name]['ours_us_per_s']:8.1f} µs  soxr {results[name]['soxr_hq_us_per_s']:8.1f} µs"
              f"  ratio {results[name]['ratio']:.2f}")
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
