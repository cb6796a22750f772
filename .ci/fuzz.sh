#!/usr/bin/env bash
# Runs every fuzz target for some seconds, one after the other, from its corpus in tests/fuzz/corpus:
#   .ci/fuzz.sh SECONDS TARGET_DIR
# What it finds on the way stays below TARGET_DIR. A crash fails, and says where its input lies.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=$1 target_dir=$(realpath -m "$2")

# cargo-fuzz is a program like cargo: any version that is there will do.
export PATH="$target_dir/tools/bin:$PATH"
if ! command -v cargo-fuzz >/dev/null; then
  cargo install --quiet --locked --version 0.13.2 --root "$target_dir/tools" cargo-fuzz
fi

# The fuzz crate has a lock file of its own, which must be that of today's host.
cargo metadata --locked --format-version 1 --manifest-path tests/fuzz/Cargo.toml >/dev/null

# No sanitizer: those need a nightly compiler, and nearly all code here is safe Rust. What is looked for is panics,
# broken promises, hangs and greed.
options=(--fuzz-dir tests/fuzz --target-dir "$target_dir/fuzz" --sanitizer none --no-cfg-fuzzing)
status=0
for folder in tests/fuzz/corpus/*/; do
  target=$(basename "$folder")
  mkdir -p "$target_dir/fuzz-corpus/$target"
  echo "== $target" >&2
  cargo fuzz run "${options[@]}" "$target" "$target_dir/fuzz-corpus/$target" "$folder" -- \
    -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3072 -max_len=8192 -close_fd_mask=1 -verbosity=0 -print_final_stats=1 || {
    status=1
    echo "== $target FAILED. Its input: $(ls -t "tests/fuzz/artifacts/$target"/* | head -n 1)" >&2
    echo "== Copy it into tests/fuzz/corpus/$target, mend the host, and \`make test\` keeps it mended." >&2
  }
done
exit "$status"
