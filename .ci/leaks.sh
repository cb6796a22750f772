#!/usr/bin/env bash
# Runs the unit tests of the crates that hold pipelines with LeakSanitizer, and fails when anything is lost:
#   .ci/leaks.sh target/leaks
# The crates that embed CPython or run guests are not among them: the sanitizer does not look for pointers in the memory
# that those map themselves, and would call what they hold lost. So there are no suppressions. What those leave behind is
# measured by the tests that watch a process (docs/reliability.md).
set -euo pipefail
cd "$(dirname "$0")/.."

# The sanitizer's flag is for nightly compilers, and its library comes with every one.
export RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=leak
# With a target named, build scripts and macros are built without it.
host=$(rustc -vV | sed -n 's/^host: //p')

# A door that finds nothing must be one that would: this program loses a thousand bytes.
mkdir -p "$1"
cat > "$1/loses.rs" <<'RUST'
fn main() { std::mem::forget(std::hint::black_box(Box::new([1_u8; 1000]))); }
RUST
rustc -Zsanitizer=leak -o "$1/loses" "$1/loses.rs"
if "$1/loses" 2> "$1/loses.txt" || ! grep -q "1000 byte(s) leaked" "$1/loses.txt"; then
  echo "leaks: LeakSanitizer does not find a leak here (it needs ptrace, which some containers forbid):" >&2
  cat "$1/loses.txt" >&2
  exit 1
fi

cargo test --locked --target "$host" --target-dir "$1" --lib \
  -p remotemedia-core -p remotemedia-engine -p remotemedia-nodes
