#!/bin/sh
# boot.sh [--real-time] [--limit SECONDS] [--debian LAYERS] COMMAND : run COMMAND, one shell string,
# on a Raspberry Pi 4's GPIO chip. The guest sees this machine's files read-only; what COMMAND
# writes to $OUT is in $OUT here too, when it is set. Exits with COMMAND's status; 125: the guest
# did not end by itself. LINES_KERNEL names a folder that kernel/build.sh built; without it, it is
# asked. Time is virtual (the same every run, whatever else the machine does) unless --real-time.
# With --debian systemd runs, and a Debian made of LAYERS: see guest-systemd.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mode=time-travel=inf-cpu limit=300 init=guest-init layers=
while :; do
  case ${1:-} in
    --real-time) mode=; shift ;;
    --limit) limit=${2:-300}; shift $(($# > 1 ? 2 : 1)) ;;
    --debian) init=guest-systemd layers=${2:-}; shift $(($# > 1 ? 2 : 1)) ;;
    -*) set -- ; break ;;
    *) break ;;
  esac
done
[ $# -eq 1 ] || { echo "usage: boot.sh [--real-time] [--limit SECONDS] [--debian LAYERS] COMMAND" >&2; exit 2; }
kernel=${LINES_KERNEL:-$("$here/kernel/build.sh")}
scratch=$(mktemp -d)
out=$(cd "${OUT:-$scratch}" && pwd)
case $here$kernel$out$layers in
  *[[:space:]]*)
    echo "lines: a kernel's arguments cannot have spaces, and one of these has: $here, $kernel, $out, $layers" >&2
    exit 2 ;;
esac
printf '%s\n' "$1" >"$out/.command"
rm -f "$out/.status"
# The guest's memory is a file, best in /dev/shm; a container's is often too small for it.
memory_mb=512
free_kb=$(df -kP /dev/shm 2>/dev/null | awk 'NR == 2 { print $4 }')
if [ "${free_kb:-0}" -gt $((memory_mb * 1024)) ]; then unset TMPDIR; else export TMPDIR="$scratch"; fi

# shellcheck disable=SC2086 - no mode, no layers are no arguments
timeout -k 5 "$limit" "$kernel/linux.um" mem=${memory_mb}M root=/dev/root \
  rootfstype=hostfs rootflags=/ ro init="$here/$init" dtb="$kernel/pi4.dtb" \
  quiet con=null con0=fd:0,fd:1 umid="lines-$$" uml_dir="$scratch/" $mode -- "$out" $layers </dev/null &
guest=$!
trap 'kill "$guest" 2>/dev/null; wait "$guest" || true; rm -rf "$scratch"; exit 130' INT TERM
trap 'rm -rf "$scratch"' EXIT
wait "$guest" || true
status=$(cat "$out/.status" 2>/dev/null || echo 125)
[ "$status" != 125 ] || echo "lines: the guest did not end by itself within $limit s" >&2
rm -f "$out/.command" "$out/.status"
exit "$status"
