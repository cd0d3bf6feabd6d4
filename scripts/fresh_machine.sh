#!/usr/bin/env bash
# Runs the README's two commands on a bare Debian 12: a chroot made by debootstrap, with a clone of HEAD in it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/shared.sh

usage() {
  cat <<'TEXT'
usage: scripts/fresh_machine.sh [--folder FOLDER] [--ccache FOLDER] [COMMAND...]
Makes a minimal Debian 12 in FOLDER (default build/fresh-machine; 0.3 GB, then 4 GB while it runs), clones the
last commit into it, at the path that it has here, and runs scripts/test.sh and scripts/demo.sh there, or COMMAND
instead. Needs root, debootstrap, 30 to 60 minutes and 8 GB of disk. Uncommitted changes are not in the clone.
The bare system is kept in FOLDER/base and used again; everything else is made anew each time.
  --folder FOLDER   where the system stands
  --ccache FOLDER   compile with this compiler cache of the host. It answers only for the same compiler and
                    the same text of every header, so a header that is missing here is still missed.
TEXT
}

folder=build/fresh-machine
cache=
while (($#)); do
  case $1 in
    --folder) folder=${2:?--folder needs a folder} && shift 2 ;;
    --ccache) cache=$(realpath -e -- "${2:?--ccache needs a folder}") && shift 2 ;;
    -h | --help) usage && exit 0 ;;
    -*) usage >&2 && fail 2 "scripts/fresh_machine.sh: unknown option '$1'" ;;
    *) break ;;
  esac
done
commands=("$@")
((${#commands[@]})) || commands=(scripts/test.sh scripts/demo.sh)
((EUID == 0)) || fail 4 "scripts/fresh_machine.sh needs root, to make a chroot."
command -v debootstrap >/dev/null || fail 4 "debootstrap is missing: apt-get install debootstrap"

folder=$(realpath -m -- "$folder")
base=$folder/base
machine=$folder/machine
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}

make_base() {
  say "Making a minimal Debian 12 in $base (about 2 minutes)"
  rm -rf "$base.part"
  logged "$folder/debootstrap.log" debootstrap --variant=minbase bookworm "$base.part" "$mirror" ||
    fail 4 "debootstrap failed."
  mv "$base.part" "$base"
}

# How this machine reaches packages: name server, certificates, pip's settings. No package of it. The
# certificates lie where installing Debian's own does not replace them.
certificates=/etc/host-certificates.crt
copy_network_settings() {
  cp /etc/resolv.conf "$machine/etc/resolv.conf"
  [[ ! -e /etc/pip.conf ]] || cp /etc/pip.conf "$machine/etc/pip.conf"
  [[ ! -e /etc/ssl/certs/ca-certificates.crt ]] || cp /etc/ssl/certs/ca-certificates.crt "$machine$certificates"
  echo force-unsafe-io >"$machine/etc/dpkg/dpkg.cfg.d/no-sync"  # a throw-away system
}

# The command's own mounts and processes end with it.
run_inside() {
  # shellcheck disable=SC2016  # expanded by the inner shell
  unshare --mount --propagation private --pid --fork --kill-child bash -c '
    mount --bind /dev "$1/dev" && mount -t proc proc "$1/proc" && mount -t tmpfs tmpfs "$1/tmp" &&
      mount -t tmpfs tmpfs "$1/dev/shm" || exit 4
    [[ ! $4 ]] || { mkdir -p "$1/root/.cache/ccache" && mount --bind "$4" "$1/root/.cache/ccache"; } || exit 4
    exec env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
      CCACHE_BASEDIR="$5" CCACHE_NOHASHDIR=1 CCACHE_COMPILERCHECK=content ${3:+PIP_CERT="$3"} \
      chroot "$1" /bin/bash -c "cd \"$6\" && $2"' \
    bash "$machine" "$1" "$([[ ! -e $machine$certificates ]] || echo "$certificates")" "$cache" \
    "${cache:+$(ccache --get-config base_dir)}" "$PWD" </dev/null
}

[[ -d $base ]] || make_base
rm -rf "$machine"
mkdir -p "$folder"
cp -a "$base" "$machine"
copy_network_settings
mkdir -p "$machine$PWD"
git clone -q . "$machine$PWD"
commit=$(git -C "$machine$PWD" rev-parse --short HEAD)
for command in "${commands[@]}"; do
  say "" "== $command on a bare Debian 12, at $commit"
  start=$SECONDS
  run_inside "$command" || fail 1 "$command failed on a bare Debian 12 after $((SECONDS - start)) s; it stands in $machine"
  say "== $command passed on a bare Debian 12 in $((SECONDS - start)) s"
done
rm -rf "$machine"
