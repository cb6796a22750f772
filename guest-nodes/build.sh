#!/usr/bin/env bash
# Builds every guest and copies the finished components to target/guests/<name>.wasm. Cargo skips what is up to date.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$here/../target/guests
eval "$("$here/../.ci/wasm-target.sh")"

cd "$here/rust"
# Guests keep their own target folder, whatever the caller's is: the host's flags and lints are not theirs.
unset RUSTFLAGS CARGO_BUILD_TARGET CARGO_ENCODED_RUSTFLAGS
export CARGO_TARGET_DIR=$here/rust/target
# shellcheck disable=SC2086  # empty, or one +toolchain
cargo ${RM_GUEST_TOOLCHAIN:-} build --quiet --release --locked --target wasm32-wasip2

mkdir -p "$out"
for guest in */; do
  name=${guest%/}
  built=target/wasm32-wasip2/release/$name.wasm
  [ -f "$guest/Cargo.toml" ] && [ -f "$built" ] || continue
  # A copy that did not change keeps its time, so that nothing downstream is rebuilt.
  cmp -s "$built" "$out/$name.wasm" || install -m 644 "$built" "$out/$name.wasm"
done
echo "guests: $(cd "$out" && ls -- *.wasm | tr '\n' ' ')in target/guests"
