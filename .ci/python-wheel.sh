#!/usr/bin/env bash
# Builds the Python package into a wheel with maturin, and unpacks it into FOLDER/site: put that on PYTHONPATH to use it.
#   .ci/python-wheel.sh FOLDER                     the development profile, for the tests
#   .ci/python-wheel.sh FOLDER --release           for users
# The development profile takes what `cargo build --workspace --lib --bins --tests` compiled, in the same target folder;
# only PyO3 and what depends on it is compiled again, for the stable ABI.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:?which folder? $0 FOLDER [--release]}
profile=${2:---profile=dev}
python=$PWD/.venv/bin/python

.ci/system-tools.sh cc
rm -rf "$folder"
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
# Where the host was built before, PyO3 may keep what it knew of Python then, and cargo does not notice.
[ "$profile" != --release ] || cargo clean --quiet --release -p pyo3-build-config
# maturin tells PyO3 which Python it builds for, and to link none.
unset PYO3_PYTHON
"$python" -m maturin build "$profile" --locked --manifest-path sdk-python/Cargo.toml --interpreter "$python" --out "$folder"
"$python" -m pip install --quiet --disable-pip-version-check --no-deps --no-index --target "$folder/site" "$folder"/*.whl
echo "$folder"/*.whl
