#!/usr/bin/env bash
# Makes crash.svg, trace.svg, top.svg and prometheus.svg again, from real runs: of a component that trips over, and of a gain, a
# resampler, a detector and, behind a queue of four packets, a Python class. Needs a built remotemedia (REMOTEMEDIA, by default
# target/debug/remotemedia), the guests, .venv, tmux and curl.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
remotemedia=${REMOTEMEDIA:-$root/target/debug/remotemedia}
python=$root/.venv/bin/python
work=$(mktemp -d)
trap 'tmux kill-session -t remotemedia-top 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
cat >loud.py <<'PY'
class Loudness:
    def process(self, data):
        sum(i * i for i in range(4000))
        return data
PY
cat >demo.json <<'JSON'
{"version": "v1", "metadata": {"name": "demo"},
 "nodes": [{"id": "gain", "node_type": "AudioGain", "params": {"gain_db": -3.0}},
           {"id": "rate", "node_type": "AudioResample", "params": {"target_sample_rate": 16000}},
           {"id": "speech", "node_type": "VAD"},
           {"id": "loudness", "node_type": "loud:Loudness"}],
 "connections": [{"from": "gain", "to": "rate"}, {"from": "rate", "to": "speech"},
                 {"from": "gain", "to": "loudness", "queue": {"max_packets": 4}}]}
JSON
cat >tone.py <<'PY'
"""A tone as an endless wav stream: 100 ms of it every 25 ms."""
import math, struct, sys, time
out = sys.stdout.buffer
out.write(b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 48000, 96000, 2, 16) + b"data" + struct.pack("<I", 0xFFFFFFFF))
block = b"".join(struct.pack("<h", int(8000 * math.sin(i / 20))) for i in range(4800))
until = time.monotonic() + float(sys.argv[1])
while time.monotonic() < until:
    out.write(block)
    out.flush()
    time.sleep(0.025)
PY
export REMOTEMEDIA_VENV=$root/.venv XDG_RUNTIME_DIR=$work
cat >crash.json <<JSON
{"version": "v1", "metadata": {"name": "crash"},
 "nodes": [{"id": "strange", "node_type": "hostile", "component": "$(realpath "$root/target/guests/hostile.wasm")",
            "params": {"deed": "panic"}}], "connections": []}
JSON
cp "$root/docs/examples/speech/speech.wav" .
{ "$remotemedia" run crash.json -i speech.wav -o out.wav --coredump-dir dumps 2>&1 || true; } |
  sed 's# at .*/guest-nodes/# at guest-nodes/#' | fold -w 132 |
  "$python" "$here/terminal.py" '$ remotemedia run crash.json -i speech.wav -o out.wav --coredump-dir dumps' >"$here/crash.svg"
"$python" tone.py 3 | "$remotemedia" run demo.json -i - -o loudness=out.wav --trace demo.pftrace
"$python" "$here/draw.py" trace demo.pftrace "$here/trace.svg" ${FEED:-100} ${MS:-30}
"$python" tone.py 12 | "$remotemedia" run demo.json -i - -o loudness=out.wav --inspect --prometheus 127.0.0.1:9464 2>/dev/null &
tmux new-session -d -x 132 -y 14 -s remotemedia-top "XDG_RUNTIME_DIR=$work sh -c 'until test -S $work/remotemedia/*.sock; do sleep 0.2; done; sleep 1; exec $remotemedia top'"
sleep 8
tmux capture-pane -p -e -t remotemedia-top >pane.ansi
"$python" "$here/draw.py" screen pane.ansi "$here/top.svg"
curl -s http://127.0.0.1:9464/metrics | grep -E -A1 '(node_(input_packets|output_packets|gil_wait_seconds)|queue_(blocked_seconds|packets)|pipeline_(audio|run)_seconds|process_cpu_seconds)' |
  grep -Ev '^(# HELP|--)|,to="rate"' | grep -E '^# TYPE|loudness|speech|pipeline_|process_' |
  "$python" "$here/terminal.py" '$ curl http://127.0.0.1:9464/metrics | grep …' >"$here/prometheus.svg"
wait
