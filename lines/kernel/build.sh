#!/bin/sh
# build.sh : print the folder that holds linux.um and pi4.dtb, building them if they are not there.
#
# The kernel is Debian's linux-source-6.1 for ARCH=um with this folder's patch and options. Built
# kernels are kept in ${XDG_CACHE_HOME:-~/.cache}/rearguard-lines, one folder for each set of
# inputs: Debian's version of the source and the four files here. As root on a machine that lacks
# a tool for the build, the tool is installed; as anybody else, it is named.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
source_package=linux-source-6.1
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/rearguard-lines
say() { echo "lines: $*" >&2; }

inputs=$(cd "$here" && cat build.sh options pi4.dts pi4-lines.patch | sha256sum | cut -c1-16)
candidate() { apt-cache policy "$source_package" 2>/dev/null | sed -n 's/^ *Candidate: //p'; }

if [ "$(uname -m)" != x86_64 ]; then
  say "User Mode Linux runs on x86_64 only; this is $(uname -m)"; exit 2
fi
any_built() { # of the same inputs, from whatever version of the source
  for built in "$cache/$inputs"-*; do
    [ -e "$built/linux.um" ] && { echo "$built"; return 0; }
  done
  return 1
}
version=$(candidate || true)
case $version in
  "" | "(none)") any_built && exit 0 ;; # no package lists here
  *) [ -e "$cache/$inputs-$version/linux.um" ] && { echo "$cache/$inputs-$version"; exit 0; } ;;
esac
command -v apt-get >/dev/null || {
  say "no apt-get here: the bench's kernel is built from Debian 12's $source_package"; exit 2
}

missing=
for tool in gcc make flex bison bc patch xz dpkg-deb; do
  command -v "$tool" >/dev/null || missing="$missing $tool"
done
if [ -n "$missing" ]; then
  packages=$(echo "$missing" | sed 's/ xz/ xz-utils/; s/ gcc/ gcc libc6-dev/; s/ dpkg-deb/ dpkg/')
  if [ "$(id -u)" -ne 0 ]; then
    say "missing$missing: sudo apt-get install$packages"; exit 2
  fi
  say "installing$packages"
  # shellcheck disable=SC2086 - a list of words
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $packages; } >&2 || {
    say "$packages could not be installed"; exit 2
  }
fi
if [ "$(id -u)" -eq 0 ]; then
  case $(candidate) in "" | "(none)") apt-get update -qq >&2 || true ;; esac
fi
version=$(candidate)
case $version in
  "" | "(none)")
    say "no $source_package here: the bench's kernel is built from Debian 12's; apt-get update on one"
    exit 2 ;;
esac

out=$cache/$inputs-$version
mkdir -p "$cache" || { say "$cache cannot be written; set XDG_CACHE_HOME"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
say "building the kernel from $source_package $version, a few minutes, once"
(cd "$work" && apt-get download -qq "$source_package=$version" >&2 2>"$work/apt.log") || {
  any_built && exit 0 # an older version's
  cat "$work/apt.log" >&2; say "$source_package $version could not be downloaded; apt-get update"; exit 2
}
dpkg-deb --fsys-tarfile "$work/${source_package}"_*.deb \
  | tar -xO --wildcards "*/$source_package.tar.xz" | xz -dc -T0 \
  | tar -x -C "$work" --exclude='*/drivers/gpu/drm/amd/include' \
      --exclude="$source_package/Documentation/devicetree"
cd "$work/$source_package"
patch -s -p1 <"$here/pi4-lines.patch" >&2

kmake() { make -s ARCH=um O="$work/build" "$@" >>"$work/build.log" 2>&1; }
mkdir "$work/build"
kmake allnoconfig
(cd "$work/build" && "$work/$source_package/scripts/kconfig/merge_config.sh" -m -O . .config \
  "$here/options" >>"$work/build.log" 2>&1)
kmake olddefconfig
for option in HOSTFS GPIO_CDEV GPIO_SIM OF UML_TIME_TRAVEL_SUPPORT OVERLAY_FS CGROUP_BPF SECCOMP_FILTER; do
  grep -qx "CONFIG_$option=y" "$work/build/.config" || { say "CONFIG_$option was lost"; exit 1; }
done
kmake -j"$(nproc)" linux || { tail -n 30 "$work/build.log" >&2; say "the kernel did not build"; exit 1; }
strip -o "$work/linux.um" "$work/build/linux"
"$work/build/scripts/dtc/dtc" -q -I dts -O dtb -o "$work/pi4.dtb" "$here/pi4.dts"

rm -rf "$out"
staged=$(mktemp -d "$cache/.new.XXXXXX")
mv "$work/pi4.dtb" "$work/linux.um" "$staged/"
mv -T "$staged" "$out" # at once: what has its name is whole
echo "$out"
