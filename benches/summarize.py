"""Gathers criterion's results into one JSON file: every bench with its median and its 95 % confidence interval, in ns.

    python3 benches/summarize.py target/criterion target/bench-summary.json [MORE.json ...]

Results that other benches left as JSON files are taken in under their names.
"""

import json
import os
import platform
import sys
from pathlib import Path


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def bench(folder: Path) -> tuple[str, dict]:
    """The name and the numbers of the bench whose newest result is in `folder`."""
    about, estimates = read(folder / "benchmark.json"), read(folder / "estimates.json")
    median = estimates["median"]
    interval = median["confidence_interval"]
    entry = {
        "median_ns": median["point_estimate"],
        "lower_ns": interval["lower_bound"],
        "upper_ns": interval["upper_bound"],
        "mean_ns": estimates["mean"]["point_estimate"],
    }
    throughput = about.get("throughput")
    if throughput:
        entry["throughput"] = throughput
    return about["full_id"], entry


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    results, summary, *more = map(Path, sys.argv[1:])
    folders = sorted(path.parent for path in results.glob("**/new/benchmark.json"))
    if not folders:
        sys.exit(f"{results} holds no results: run `cargo bench` first")
    machine = {"system": platform.system(), "machine": platform.machine(), "cores": os.cpu_count()}
    document = {"machine": machine, "benches": dict(bench(folder) for folder in folders)}
    document.update((path.stem, read(path)) for path in more)
    summary.parent.mkdir(parents=True, exist_ok=True)
    summary.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(f"{len(folders)} benches in {summary}")


if __name__ == "__main__":
    main()
