#!/usr/bin/env bash
# Proves the table "Platforms" of deploy/README.md: makes a root for each row, and runs `npm ci && npm start` in it with a
# client that receives an update.
#   platforms.sh [SUITE:NODE...]        default: bookworm:20 bookworm:22 bookworm:24 bookworm:26 trixie:22 trixie:24
# Needs root, mmdebstrap and npm. Prints a row for each platform; the exit code is the number of failures.
set -uo pipefail
here=$(realpath "$(dirname "$0")")
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
failed=0
[ $# -gt 0 ] || set -- bookworm:20 bookworm:22 bookworm:24 bookworm:26 trixie:22 trixie:24
git clone --quiet "$(git -C "$here" rev-parse --show-toplevel)" "$work/clone"

printf '%-10s %-6s %s\n' Debian Node Engine
for platform in "$@"; do
  suite=${platform%:*} node=${platform#*:} root=$work/root
  if SUITE=$suite NODE_MAJOR=$node "$here/make-root.sh" "$root" ca-certificates > "$work/log" 2>&1 \
    && engine=$("$here/run-in-root.sh" "$root" "$work/clone" bash -c \
      'rm -rf node_modules dist && npm ci > /dev/null && node deploy/reference/try-start.mjs' 2>> "$work/log"); then
    printf '%-10s %-6s %s\n' "$suite" "$node" "$engine"
  else
    printf '%-10s %-6s FAILED\n' "$suite" "$node"
    tail -n 20 "$work/log" >&2
    failed=$((failed + 1))
  fi
  rm -rf --one-file-system "$root"
done
exit "$failed"
