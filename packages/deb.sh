#!/bin/sh
# deb.sh : build dist/rearguard_VERSION_all.deb, in a copy, so that nothing else here changes.
set -eu
cd "$(dirname "$0")/.."

missing=
for tool in dpkg-buildpackage:dpkg-dev dh:debhelper dh_python3:dh-python make:make python3:python3; do
  command -v "${tool%%:*}" >/dev/null || missing="$missing ${tool#*:}"
done
if [ -n "$missing" ]; then
  if [ "$(id -u)" -ne 0 ]; then
    echo "deb: missing:$missing; sudo apt-get install$missing" >&2; exit 2
  fi
  # shellcheck disable=SC2086 - a list of words
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $missing; } >&2
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
mkdir "$work/source"
tar -c --exclude=__pycache__ \
  device config systemd debian docs hardware pyproject.toml README.md hardware.md CHANGELOG.md LICENSE \
  | tar -x -C "$work/source" --no-same-owner
# -d: nothing is compiled, so the compiler that Debian takes for granted is not needed. And a log
# that nobody reads when all is well.
(cd "$work/source" && PATH=/usr/sbin:/usr/bin:/sbin:/bin dpkg-buildpackage -d -b -us -uc) \
  >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
mkdir -p dist
cp "$work"/rearguard_*_all.deb dist/
ls dist/rearguard_*_all.deb
