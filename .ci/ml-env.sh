#!/usr/bin/env bash
# Puts the packages of sdk-python/requirements-ml.txt, torch among them, into the folder that it is given, for PYTHONPATH:
#   .ci/ml-env.sh target/ml
# They are not in .venv because they are some gigabytes. Does nothing when the folder is up to date.
set -euo pipefail
folder=$(realpath -m "$1")
cd "$(dirname "$0")/.."
requirements=sdk-python/requirements-ml.txt
pins=sdk-python/requirements.txt
stamp=$folder/requirements.sha256

wanted_stamp() { { cat "$requirements"; grep ^numpy "$pins"; .venv/bin/python -V; } | sha256sum | cut -d' ' -f1; }
if [ "$(cat "$stamp" 2>/dev/null)" = "$(wanted_stamp)" ]; then
  exit 0
fi
echo "ml-env: installing $requirements into $folder" >&2
rm -rf "$folder"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --no-cache-dir --target "$folder" \
  -r "$requirements" -c "$pins"
wanted_stamp >"$stamp"
