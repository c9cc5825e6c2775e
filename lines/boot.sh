#!/bin/sh
# boot.sh [--real-time] [--limit SECONDS] COMMAND : run COMMAND, one shell string, on a Raspberry
# Pi 4's GPIO chip. The guest sees this machine's files read-only; what COMMAND writes to $OUT is
# in $OUT here too, when it is set. Exits with COMMAND's status; 125: the guest did not end by
# itself. Time is virtual (the same every run, whatever else the machine does) unless --real-time.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mode=time-travel=inf-cpu limit=300
while :; do
  case ${1:-} in
    --real-time) mode=; shift ;;
    --limit) limit=$2; shift 2 ;;
    *) break ;;
  esac
done
kernel=$("$here/kernel/build.sh")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
out=${OUT:-$scratch}
printf '%s\n' "$1" >"$out/.command"
rm -f "$out/.status"
# shellcheck disable=SC2086 - no mode is no argument
env -u TMPDIR timeout -k 5 "$limit" "$kernel/linux.um" mem=512M root=/dev/root \
  rootfstype=hostfs rootflags=/ ro init="$here/guest-init" dtb="$kernel/pi4.dtb" \
  quiet con=null con0=fd:0,fd:1 umid="lines-$$" uml_dir="$scratch/" $mode -- "$out" </dev/null || true
status=$(cat "$out/.status" 2>/dev/null || echo 125)
rm -f "$out/.command" "$out/.status"
exit "$status"
