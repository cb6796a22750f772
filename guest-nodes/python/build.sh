#!/usr/bin/env bash
# Builds the Python guests into target/guests: gain-python.wasm, and python-runner.wasm, which runs the classes of
# cpython_wasm. What did not change since the last build is not built again.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
out=$root/target/guests
mkdir -p "$out"
componentize_py=$("$root/.ci/componentize-py.sh")

# componentize-py looks into the active virtual environment; the one it lives in has nothing that guests could import.
export VIRTUAL_ENV=$here/.venv
unset PYTHONPATH PYTHONHOME
mend() { PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$here/sdk "$here/.venv/bin/python" -m remotemedia_node.mend "$@"; }

# component NAME MODULE FOLDER...: builds MODULE, found in the first of the folders, into NAME.wasm.
component() {
  local name=$1 module=$2 folder wanted building paths=()
  shift 2
  for folder in "$@"; do paths+=(-p "$folder"); done
  wanted=$(
    cd "$root"
    find "${@#"$root/"}" wit/v0.1.0 guest-nodes/python/requirements.txt guest-nodes/python/build.sh \
      guest-nodes/python/sdk/remotemedia_node/mend.py -type f \
      -not -path '*/__pycache__/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum
  )
  [ -f "$out/$name.wasm" ] && [ "$(cat "$out/$name.wasm.inputs" 2>/dev/null)" = "$wanted" ] && return
  building=$(mktemp -d "$out/.$name.XXXXXX")
  # shellcheck disable=SC2064  # the folder of this call
  trap "rm -rf '$building'" RETURN EXIT
  if ! {
    "$componentize_py" -q -d "$root/wit/v0.1.0" -w plugin componentize "$module" "${paths[@]}" \
      -o "$building/$name.built" && mend "$building/$name.built" -o "$building/$name.wasm"
  } >"$building/log" 2>&1; then
    cat "$building/log" >&2
    echo "guest-nodes/python/build.sh: componentize-py could not build $name from the module $module, see above" >&2
    exit 1
  fi
  chmod 644 "$building/$name.wasm"
  mv "$building/$name.wasm" "$out/$name.wasm"
  echo "$wanted" >"$out/$name.wasm.inputs"
  rm -rf "$building"
  trap - RETURN EXIT
}

component gain-python gain "$here/gain" "$here/sdk"
component python-runner runner "$here/runner" "$root/host/crates/python/src/shim" "$root/sdk-python/python"
