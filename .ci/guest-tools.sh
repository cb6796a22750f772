#!/usr/bin/env bash
# Makes sure that guests can be built from C and JavaScript, and prints lines for eval:
#   export RM_CLANG=clang-22                a clang (16 or newer) with WASI's C library beside it
#   export RM_WASM_LINKERS=/…/rustlib/…/bin  rustup's folder with wasm-component-ld and gcc-ld/wasm-ld
# and that guest-nodes/js/node_modules holds what its package-lock.json pins. Does nothing for what is there.
# Without root it prints the command to run by hand, and fails.
set -euo pipefail
cd "$(dirname "$0")/.."
newest=22 oldest=16
js=guest-nodes/js
say() { echo "guest-tools: $*" >&2; }

# Does this clang compile and link a C program for WASI? Checks for headers, libc and compiler-rt at once.
builds_wasi() {
  local probe status=0
  probe=$(mktemp)
  "$1" --target=wasm32-wasi -Wno-deprecated --sysroot=/usr -x c -mexec-model=reactor "-B$RM_WASM_LINKERS/gcc-ld" \
    -o "$probe" - <<<'#include <stdlib.h>
__attribute__((export_name("probe"))) void *probe(int n) { return malloc(n); }' 2>/dev/null || status=1
  rm -f "$probe"
  return "$status"
}

find_clang() {
  local version
  for ((version = newest; version >= oldest; version--)); do
    if command -v "clang-$version" >/dev/null && builds_wasi "clang-$version"; then
      echo "clang-$version"
      return 0
    fi
  done
  # Distributions that know only one clang call it just that.
  version=$(clang -dumpversion 2>/dev/null | cut -d. -f1) || return 1
  [ "${version:-0}" -ge "$oldest" ] && builds_wasi clang && echo clang
}

# The packages of the newest clang that this distribution has.
clang_packages() {
  local version
  for ((version = newest; version >= oldest; version--)); do
    if apt-cache show "clang-$version" "libclang-rt-$version-dev-wasm32" >/dev/null 2>&1; then
      echo "clang-$version libclang-rt-$version-dev-wasm32 wasi-libc"
      return 0
    fi
  done
  return 1
}

install_clang() {
  local packages
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    clang_packages >/dev/null || apt-get update -qq >&2
    packages=$(clang_packages) || { say "this distribution has no clang $oldest to $newest for wasm32"; return 1; }
    say "installing $packages"
    # shellcheck disable=SC2086  # one word per package
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >&2
  else
    packages=$(clang_packages 2>/dev/null) || packages="clang-$newest libclang-rt-$newest-dev-wasm32 wasi-libc"
    say "no clang $oldest or newer with WASI's C library was found. Run this, then try again:"
    say "  sudo apt-get install --no-install-recommends $packages"
    return 1
  fi
}

RM_WASM_LINKERS=$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin
if [ ! -x "$RM_WASM_LINKERS/wasm-component-ld" ]; then
  say "no wasm-component-ld in $RM_WASM_LINKERS: install Rust 1.82 or newer with rustup"
  exit 1
fi
RM_CLANG=$(find_clang) || { install_clang; RM_CLANG=$(find_clang); } ||
  { say "clang is there, but links no program for wasm32-wasi"; exit 1; }

.ci/system-tools.sh node npm
if ! cmp -s "$js/package-lock.json" "$js/node_modules/lock"; then
  say "installing what $js/package-lock.json pins"
  (cd "$js" && npm ci --no-audit --no-fund --loglevel=error >&2)
  cp "$js/package-lock.json" "$js/node_modules/lock"
fi

echo "export RM_CLANG=$RM_CLANG RM_WASM_LINKERS=$RM_WASM_LINKERS"
