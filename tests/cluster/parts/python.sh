#!/usr/bin/env bash
# A small image with Python, venv and pip (python.sif; as a folder, python):  python.sh up|down
PART=python
set -euo pipefail
# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "$0")/../lib.sh"

IMAGE=$LAB/python.sif

# Debian's own packages, unpacked: no script of theirs is run, so what those would make is made here.
build_image() {
  local at version
  [ -s "$IMAGE" ] && return
  # shellcheck disable=SC2046 # one word a package
  unpack bash ca-certificates coreutils findutils grep gzip sed tar \
    python3 python3-minimal python3-pip python3-pip-whl python3-venv $(python_packages)
  at=$PREFIX
  version=$(basename "$(readlink "$at/usr/bin/python3")")
  for name in bin lib lib64 sbin; do [ -e "$at/$name" ] || ln -s "usr/$name" "$at/$name"; done
  mkdir -p "$at"/{dev,etc,home,mnt,opt,proc,root,run,sys,tmp,usr/sbin,var/tmp,work}
  ln -sf bash "$at/usr/bin/sh"
  mkdir -p "$at/etc/ssl/certs" # without them pip does not start, not even where it fetches nothing
  cat "$at"/usr/share/ca-certificates/mozilla/*.crt >"$at/etc/ssl/certs/ca-certificates.crt"
  echo 'root:x:0:0:root:/root:/bin/sh' >"$at/etc/passwd"
  echo 'root:x:0:' >"$at/etc/group"
  printf 'PRETTY_NAME="%s"\n' "$version" >"$at/etc/os-release"
  touch "$at"/etc/{hosts,localtime,nsswitch.conf,resolv.conf}
  PATH=$LAB/apptainer/bin:$LAB/apptainer/usr/bin:$PATH apptainer --quiet build --force "$IMAGE" "$at" >"$LAB/python.log" 2>&1 ||
    missing "Apptainer cannot build the image here: $(tail -n 1 "$LAB/python.log")"
}

# python3 of sid is python3.N: its parts have the number in their names.
python_packages() {
  local number
  number=$(sid apt-cache depends python3 | sed -n 's/.*Depends: \(python3\.[0-9]*\)$/\1/p')
  echo "$number $number-minimal $number-venv"
}

up() {
  local said
  [ -d "$LAB/apptainer" ] || missing "the image is made by the lab's Apptainer, which is not here"
  build_image
  said=$("$LAB/apptainer/bin/singularity" --silent exec "$IMAGE" python3 -m venv --help 2>&1) ||
    missing "Python does not run in a container here: $said"
}

down() { :; }

"$1"
