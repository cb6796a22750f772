#!/usr/bin/env bash
# Makes the repository's .venv: the Python that the host is built against and that runs its Python nodes,
# with the pinned packages of sdk-python/requirements.txt and requirements-no-deps.txt. Does nothing when .venv is up to date.
# PYTHON=/path/to/python3 chooses the interpreter; otherwise the first fit one of the PATH is taken.
set -euo pipefail
cd "$(dirname "$0")/.."
requirements=sdk-python/requirements.txt
without_dependencies=sdk-python/requirements-no-deps.txt
stamp=.venv/requirements.sha256
say() { echo "python-env: $*" >&2; }

wanted_stamp() { cat "$requirements" "$without_dependencies" | sha256sum | cut -d' ' -f1; }
if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$(wanted_stamp)" ] && .venv/bin/python -c ''; then
  exit 0
fi

# Prints what an interpreter lacks to be embedded (nothing when it is fit).
lacks() {
  "$1" - <<'PY' 2>/dev/null || echo "cannot be run"
import os, sys, sysconfig
def get(name): return sysconfig.get_config_var(name) or ""
if sys.version_info < (3, 10):
    print("is Python %d.%d, needs 3.10 or newer" % sys.version_info[:2]); sys.exit()
lacking = []
link = "libpython%s%s.so" % (get("LDVERSION") or get("VERSION"), "")
folders = [get("LIBDIR"), os.path.join(get("LIBDIR"), get("MULTIARCH"))]
if sys.platform == "linux" and not any(os.path.exists(os.path.join(f, link)) for f in folders):
    lacking.append("has no shared " + link)
try:
    import ensurepip, venv
except ImportError:
    lacking.append("has no venv module")
print(", ".join(lacking))
PY
}

choose() {
  local candidate missing
  for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python3.10 /usr/bin/python3}; do
    command -v "$candidate" >/dev/null || continue
    missing=$(lacks "$candidate")
    if [ -z "$missing" ]; then command -v "$candidate"; return 0; fi
    say "$candidate $missing"
  done
  return 1
}

if ! python=$(choose); then
  packages="python3 python3-dev python3-venv"
  if [ -z "${PYTHON:-}" ] && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    say "installing $packages"
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >&2
    PYTHON=/usr/bin/python3
    python=$(choose) || { say "/usr/bin/python3 is still unfit"; exit 1; }
  else
    say "no Python >= 3.10 with a shared libpython and venv was found."
    say "Debian/Ubuntu: sudo apt-get install $packages     pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install 3.12"
    exit 1
  fi
fi

say "making .venv with $python ($("$python" -c 'import platform; print(platform.python_version())'))"
"$python" -m venv --clear .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input -r "$requirements"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --no-deps -r "$without_dependencies"
wanted_stamp >"$stamp"
