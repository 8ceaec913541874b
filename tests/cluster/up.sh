#!/usr/bin/env bash
# Brings up the lab: real schedulers and runtimes, on loopback, for tests/cluster (`make test-cluster`).
#
# Each file in parts/ is one component, `up` or `down`; a part that cannot be had here leaves its reason in
# $LAB/missing, and its tests are skipped with that reason. A part that is there but does not start is an error.
# Repeating it is cheap: what is installed and running is left alone.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
lab=${SIFMIGRATE_LAB:-/opt/sifmigrate-lab}
if ! mkdir -p "$lab/node/bin" 2>/dev/null; then
  echo "The folder $lab cannot be made here (set SIFMIGRATE_LAB to another): nothing on real components is tested." >&2
  exit 0
fi
rm -rf "$lab/missing" "$lab/work" # of earlier sessions
for part in "$here"/parts/*.sh; do
  bash "$part" up
done
