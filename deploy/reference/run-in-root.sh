#!/usr/bin/env bash
# Runs a command in a root that make-root.sh made: run-in-root.sh ROOT FOLDER COMMAND...
# FOLDER of this machine is the working folder, under the same path. The network is this machine's; mounts end with the
# command. Needs root.
set -euo pipefail
root=$(realpath "$1")
folder=$(realpath "$2")
shift 2
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
exec unshare --mount --propagation private bash -c '
  set -euo pipefail
  root=$1 folder=$2
  shift 2
  mount -t tmpfs tmpfs "$root/tmp"
  mkdir -p "$root$folder" # after that: the folder may be below /tmp
  mount --bind "$folder" "$root$folder"
  mount -t proc proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount --rbind /dev "$root/dev"
  exec chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    ${CI:+CI=$CI} ${HELIOGRAPH_TEST_REDIS:+HELIOGRAPH_TEST_REDIS=$HELIOGRAPH_TEST_REDIS} \
    NODE_EXTRA_CA_CERTS=/usr/local/etc/machine-ca.crt \
    bash -c "cd \"\$0\" && exec \"\$@\"" "$folder" "$@"
' run-in-root "$root" "$folder" "$@"
