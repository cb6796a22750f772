#!/usr/bin/env bash
# Checks that the public interface of the Python package is typed, completely and as it is: mypy, stubtest and pyright, of
# the package that is installed in SITE.
#   .ci/types.sh target/wheel/site
set -euo pipefail
cd "$(dirname "$0")/.."
site=$(cd "${1:?which folder? $0 SITE}" && pwd)
repository=$PWD
python=$repository/.venv/bin/python
pyright=$repository/.ci/pyright
settings=$repository/sdk-python/pyproject.toml

.ci/system-tools.sh node npm
if ! cmp -s "$pyright/package-lock.json" "$pyright/node_modules/lock"; then
  echo "types: installing what $pyright/package-lock.json pins" >&2
  (cd "$pyright" && npm ci --no-audit --no-fund --loglevel=error >&2)
  cp "$pyright/package-lock.json" "$pyright/node_modules/lock"
fi

# From there, so that the sources of the repository are not found.
cd "$site"
export PYTHONPATH=$site MYPYPATH=$site
"$python" -m mypy --config-file "$settings"
"$python" -m mypy.stubtest --mypy-config-file "$settings" --allowlist "$repository/sdk-python/stubtest-allowlist.txt" \
  remotemedia remotemedia_runtime
for package in remotemedia remotemedia_runtime; do
  node "$pyright/node_modules/pyright/index.js" --pythonpath "$python" --ignoreexternal --verifytypes "$package"
done
