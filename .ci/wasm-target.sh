#!/usr/bin/env bash
# Makes `cargo $RM_GUEST_TOOLCHAIN build --target wasm32-wasip2` work, and prints one line for eval:
#   export RM_GUEST_TOOLCHAIN=...      (empty, or "+remotemedia-wasm")
# 1. The target is there: nothing happens.
# 2. `rustup target add`: the ordinary way.
# 3. No network to rustup's server, but one to a Debian or Ubuntu mirror: a private toolchain is unpacked from the
#    distribution's packages into RM_WASM_PREFIX (~/.local/share/remotemedia-wasm), about 500 MB and a minute or two.
#    Nothing is installed system-wide, and no root is needed if the package lists are there.
# RM_WASM_SKIP_RUSTUP=1 goes straight to 3.
set -euo pipefail

target=wasm32-wasip2
toolchain=remotemedia-wasm
prefix=${RM_WASM_PREFIX:-${XDG_DATA_HOME:-$HOME/.local/share}/remotemedia-wasm}
unset RUSTC RUSTFLAGS CARGO_BUILD_TARGET CARGO_ENCODED_RUSTFLAGS

log() { echo "[wasm-target] $*" >&2; }
answer() { echo "export RM_GUEST_TOOLCHAIN=$1"; exit 0; }

# Does the toolchain "$@" ("" or "+name") have a standard library for the target?
has_std() {
  local dir
  dir=$(rustc "$@" --print target-libdir --target "$target" 2>/dev/null) && compgen -G "$dir/libstd-*.rlib" >/dev/null
}

# Does it also link? Compiles an empty component.
links() {
  local dir ok=0
  dir=$(mktemp -d)
  mkdir "$dir/src"
  cat > "$dir/Cargo.toml" <<'TOML'
[package]
name = "probe"
version = "0.0.0"
edition = "2021"
[lib]
crate-type = ["cdylib"]
[profile.dev]
lto = true
[workspace]
TOML
  echo '#[no_mangle] pub extern "C" fn probe(n: u32) -> usize { vec![0u8; n as usize].len() }' > "$dir/src/lib.rs"
  (cd "$dir" && CARGO_TARGET_DIR=$dir/target cargo "$@" build -q --offline --target "$target") >"$dir/log" 2>&1 || ok=1
  [ "$ok" = 0 ] || cat "$dir/log" >&2
  rm -rf "$dir"
  return "$ok"
}

# Unpacks rustc, its sources and the WASI C library from the distribution's packages into $prefix.
unpack_packages() {
  local debs=$prefix.new/debs wanted missing package
  rm -rf "$prefix.new"
  mkdir -p "$debs"
  apt-cache show rustc-web rust-web-src wasi-libc >/dev/null 2>&1 || { [ "$(id -u)" = 0 ] && apt-get update >&2; }
  wanted="rustc-web rust-web-src wasi-libc $(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts \
    --no-breaks --no-replaces --no-enhances rustc-web 2>/dev/null |
    grep -oE '^(libllvm[0-9]+|libstd-rust-web-[a-z0-9.]+)$' | sort -u | tr '\n' ' ')"
  # A simulation says which of their dependencies this machine lacks. What it has is needed in the private tree too.
  # shellcheck disable=SC2086
  missing=$(apt-get -s -o Debug::NoLocking=1 install --no-install-recommends $wanted 2>/dev/null |
    awk '/^Inst/{printf "%s ", $2}')
  for package in $wanted; do
    case " $missing " in *" $package "*) ;; *) missing="$missing $package" ;; esac
  done
  log "packages: $missing"
  # shellcheck disable=SC2086
  (cd "$debs" && apt-get -o APT::Sandbox::User=root download $missing >&2)
  for package in "$debs"/*.deb; do dpkg-deb -x "$package" "$prefix.new"; done
  rm -rf "$debs" "$prefix"
  mv "$prefix.new" "$prefix"
}

# Turns the unpacked tree into a rustup toolchain with rustup's own cargo and linkers.
link_toolchain() {
  local root=$prefix/usr host library binaries
  host=$(rustc -vV | sed -n 's/^host: //p')
  # rustup puts <toolchain>/lib on the library path; the distribution keeps the libraries in lib/<multiarch>.
  for library in "$root"/lib/*-linux-gnu/*.so*; do ln -sfn "$library" "$root/lib/$(basename "$library")"; done
  # A link, not copies: the linkers find their libraries relative to themselves.
  binaries=$(rustc --print sysroot)/lib/rustlib/$host/bin
  rm -rf "$root/lib/rustlib/$host/bin" "$root/bin/rust-lld"
  ln -s "$binaries" "$root/lib/rustlib/$host/bin"
  # Without a cargo of its own, rustup would silently take another toolchain's.
  ln -sfn "$(rustup which cargo)" "$root/bin/cargo"
  rustup toolchain link "$toolchain" "$root" >&2
}

# Compiles the standard library for the target out of the packaged sources, once.
build_std() {
  local root=$prefix/usr lib dir
  lib=$root/lib/rustlib/$target/lib
  mkdir -p "$lib/self-contained"
  cp "$root"/lib/wasm32-wasi/{crt1-command.o,crt1-reactor.o,libc.a} "$lib/self-contained/"
  dir=$(mktemp -d)
  mkdir "$dir/src"
  printf '[package]\nname = "zz_std"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n[profile.release]\nopt-level = 3\n' \
    > "$dir/Cargo.toml"
  : > "$dir/src/lib.rs"
  # Guests are built with LTO, which needs the bitcode.
  (cd "$dir" && RUSTFLAGS=-Cembed-bitcode=yes RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$dir/target \
    cargo "+$toolchain" build -q --release -Zbuild-std=std,panic_abort,panic_unwind --target "$target") >&2
  rm -f "$dir/target/$target"/release/deps/libzz_std*
  cp "$dir/target/$target"/release/deps/*.rlib "$lib/"
  rm -rf "$dir" "$root/src" "$root/lib/rustlib/src" "$root/share"
}

if has_std; then answer ""; fi
if has_std "+$toolchain"; then answer "+$toolchain"; fi
if [ -z "${RM_WASM_SKIP_RUSTUP:-}" ]; then
  log "adding the target $target with rustup"
  if timeout "${RM_WASM_RUSTUP_TIMEOUT:-180}" rustup target add "$target" >&2 && links; then answer ""; fi
fi
if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
  log "rustup cannot add $target and this is neither Debian nor Ubuntu: install the target by hand"
  exit 1
fi
log "rustup cannot add $target: making a private toolchain in $prefix"
unpack_packages
link_toolchain
build_std
links "+$toolchain" || { log "the private toolchain does not work"; exit 1; }
log "made $(rustc "+$toolchain" -V) in $prefix, $(du -sh "$prefix" | cut -f1)"
answer "+$toolchain"
