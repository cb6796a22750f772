#!/usr/bin/env bash
# Makes the environment that builds Python nodes into components, guest-nodes/python/.venv, with the pinned packages of
# guest-nodes/python/requirements.txt, and prints the path of its componentize-py. It is not the .venv that runs
# Python nodes: nothing of it is seen by any node. Does nothing when it is up to date.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=guest-nodes/python/.venv
requirements=guest-nodes/python/requirements.txt
stamp=$folder/requirements.sha256
say() { echo "componentize-py: $*" >&2; }

wanted=$(sha256sum <"$requirements" | cut -d' ' -f1)
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || ! "$folder/bin/componentize-py" --version >/dev/null 2>&1; then
  python=.venv/bin/python
  [ -x "$python" ] || python=$(command -v python3) || { say "no python3: make the .venv with .ci/python-env.sh"; exit 1; }
  say "installing $(grep -v '^#' "$requirements" | tr '\n' ' ')into $folder"
  rm -rf "$folder"
  "$python" -m venv "$folder"
  if ! "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements" >&2; then
    rm -rf "$folder"
    say "pip could not install it (is the package index reachable?). Run this, then try again:"
    say "  $python -m venv $folder && $folder/bin/python -m pip install -r $requirements"
    exit 1
  fi
  echo "$wanted" >"$stamp"
fi
echo "$PWD/$folder/bin/componentize-py"
