#!/usr/bin/env bash
# Builds every guest as target/guests/<name>.wasm: the Rust ones, then those of the other languages, which are called
# <name>-<language>. What is up to date is skipped.
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
  built=target/wasm32-wasip2/release/${name//-/_}.wasm
  [ -f "$guest/Cargo.toml" ] && [ -f "$built" ] || continue
  # A copy that did not change keeps its time, so that nothing downstream is rebuilt.
  cmp -s "$built" "$out/$name.wasm" || install -m 644 "$built" "$out/$name.wasm"
done

# Is the component newer than all that it is made of?
up_to_date() {
  local component=$1
  shift
  [ -f "$component" ] && [ -z "$(find "$@" "$here/../wit" "$here/build.sh" -newer "$component" -print -quit)" ]
}

# The recipes that c/README.md and js/README.md give to authors.
wit=$here/../wit/v0.1.0
eval "$("$here/../.ci/guest-tools.sh")"

cd "$here/c"
if ! up_to_date "$out/gain-c.wasm" sdk gain; then
  "$RM_CLANG" --target=wasm32-wasi -Wno-deprecated --sysroot=/usr -mexec-model=reactor -std=c11 -O3 -msimd128 \
    -Wall -Wextra -Werror -Isdk "-B$RM_WASM_LINKERS/gcc-ld" "-fuse-ld=$RM_WASM_LINKERS/wasm-component-ld" \
    "-Wl,--component-type=$wit" -Wl,--strip-all gain/*.c sdk/*.c sdk/generated/plugin.c -o "$out/gain-c.new"
  mv "$out/gain-c.new" "$out/gain-c.wasm"
fi

cd "$here/js"
if ! up_to_date "$out/gain-js.wasm" sdk gain package-lock.json; then
  node_modules/.bin/componentize-qjs --wit "$wit" --world plugin --module-root . --js gain/gain.js \
    --sync --stub-wasi -o "$out/gain-js.new" >&2
  mv "$out/gain-js.new" "$out/gain-js.wasm"
fi

"$here/python/build.sh"
echo "guests: $(cd "$out" && ls -- *.wasm | tr '\n' ' ')in target/guests"
