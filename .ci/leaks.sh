#!/usr/bin/env bash
# Runs the unit tests of the crates that hold pipelines with LeakSanitizer, and fails when anything is lost:
#   .ci/leaks.sh target/leaks
# The crates that embed CPython or run guests are not among them: the sanitizer does not look for pointers in the memory
# that those map themselves, and would call what they hold lost. What those leave behind is measured by the tests that watch
# a process (docs/reliability.md). The one known loss, a library's, is in .ci/leaks.supp. Valgrind cannot run this code:
# rustix reads the clock where the kernel put it, which valgrind hides.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p "$1"

# It comes with every compiler; to be linked is all it needs, so the crates' dependencies are built as always.
host=$(rustc -vV | sed -n 's/^host: //p')
library=$(echo "$(rustc --print sysroot)/lib/rustlib/$host/lib"/librustc-*_rt.lsan.a)
[ -f "$library" ] || { echo "leaks: this compiler has no LeakSanitizer for $host: $library" >&2; exit 1; }
link=(-C link-arg=-Wl,--whole-archive -C "link-arg=$library" -C link-arg=-Wl,--no-whole-archive)

# A door that finds nothing must be one that would: this program loses a thousand bytes.
echo 'fn main() { std::mem::forget(std::hint::black_box(Box::new([1_u8; 1000]))); }' > "$1/loses.rs"
rustc "${link[@]}" -o "$1/loses" "$1/loses.rs"
if "$1/loses" 2> "$1/loses.txt" || ! grep -q "1000 byte(s) leaked" "$1/loses.txt"; then
  echo "leaks: LeakSanitizer finds no leak here (it needs ptrace, which some containers forbid):" >&2
  cat "$1/loses.txt" >&2
  exit 1
fi

export LSAN_OPTIONS=suppressions=$PWD/.ci/leaks.supp
for package in core engine nodes; do
  cargo rustc --locked --target-dir "$1" -p "remotemedia-$package" --lib --profile test --message-format=json -- \
    "${link[@]}" > "$1/built.json"
  tests=$(grep -o '"executable":"[^"]*"' "$1/built.json" | tail -1 | cut -d '"' -f 4)
  "$tests" --quiet
done
