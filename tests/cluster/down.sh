#!/usr/bin/env bash
# Ends every daemon of the lab; its folder stays (`rm -rf` it to begin from nothing).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
for part in "$here"/parts/*.sh; do
  bash "$part" down
done
