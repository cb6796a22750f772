#!/usr/bin/env bash
# Makes sure that the named commands exist, installing their Debian/Ubuntu packages where it may:
#   .ci/system-tools.sh cc espeak-ng ffmpeg
# Does nothing for what is there. Without root it prints the command to run by hand, and fails.
set -euo pipefail

package_of() {
  case $1 in
    cc) echo "gcc libc6-dev" ;;
    c++) echo g++ ;;
    node) echo nodejs ;;
    prlimit | unshare) echo util-linux ;;
    promtool) echo prometheus ;;
    *) echo "$1" ;;
  esac
}

packages=()
for tool in "$@"; do
  # shellcheck disable=SC2207  # one word per package
  command -v "$tool" >/dev/null || packages+=($(package_of "$tool"))
done
[ "${#packages[@]}" -gt 0 ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "system-tools: installing ${packages[*]}" >&2
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2
else
  echo "system-tools: missing: ${packages[*]}. Run this, then try again:" >&2
  echo "  sudo apt-get install ${packages[*]}" >&2
  exit 1
fi
