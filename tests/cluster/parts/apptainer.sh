#!/usr/bin/env bash
# Apptainer, also under the name `singularity`, and a small image:  apptainer.sh up|down
PART=apptainer
set -euo pipefail
# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "$0")/../lib.sh"

ROOTFS=$LAB/box
IMAGE=$LAB/box.sif

install_apptainer() {
  "$PREFIX/bin/singularity" --version >/dev/null 2>&1 && return
  unpack apptainer squashfs-tools squashfuse busybox-static patchelf
  own_libraries "$PREFIX"/usr/bin/{apptainer,mksquashfs,unsquashfs,squashfuse_ll} "$LIB/apptainer/bin/starter"
  # It looks for its helpers beside its starter first, and a node's PATH has none of them.
  ln -s "$PREFIX"/usr/bin/{mksquashfs,unsquashfs,squashfuse_ll} "$LIB/apptainer/bin/"
  # Debian's build finds its prefix from where it stands, but `apptainer` takes PREFIX/usr for it and its starter
  # PREFIX/usr/lib: both are led to PREFIX/etc and PREFIX/var.
  ln -s ../etc ../var "$PREFIX/usr/"
  ln -s ../../etc ../../var "$PREFIX/usr/lib/"
  # Root inside a container or a small virtual machine may not have every capability to give away.
  sed -i 's/^root default capabilities = .*/root default capabilities = no/' "$PREFIX/etc/apptainer/apptainer.conf"
  mkdir -p "$PREFIX/bin"
  ln -s ../usr/bin/apptainer "$PREFIX/bin/apptainer"
  ln -s ../usr/bin/apptainer "$PREFIX/bin/singularity"
}

# BusyBox and this machine's bash, with the libraries that it needs: nothing is fetched.
build_image() {
  local applet bash library
  [ -s "$IMAGE" ] && return
  bash=$(command -v bash)
  rm -rf "$ROOTFS"
  mkdir -p "$ROOTFS"/{bin,dev,etc,home,lib64,mnt,opt,proc,root,run,sys,tmp,usr/bin,var/tmp,work}
  cp "$PREFIX/usr/bin/busybox" "$ROOTFS/bin/"
  for applet in $("$ROOTFS/bin/busybox" --list); do
    [ "$applet" = busybox ] || ln -s busybox "$ROOTFS/bin/$applet"
  done
  cp -L "$bash" "$ROOTFS/bin/bash"
  for library in $(ldd "$bash" | grep -o '/[^ ]*'); do
    mkdir -p "$ROOTFS$(dirname "$library")"
    cp -L "$library" "$ROOTFS$library"
  done
  echo 'root:x:0:0:root:/root:/bin/sh' >"$ROOTFS/etc/passwd"
  echo 'root:x:0:' >"$ROOTFS/etc/group"
  echo 'PRETTY_NAME="the box"' >"$ROOTFS/etc/os-release"
  touch "$ROOTFS"/etc/{hosts,localtime,nsswitch.conf,resolv.conf}
  PATH=$PREFIX/bin:$PREFIX/usr/bin:$PATH apptainer --quiet build --force "$IMAGE" "$ROOTFS" >"$LAB/build.log" 2>&1 ||
    missing "Apptainer cannot build an image here: $(tail -n 1 "$LAB/build.log")"
}

up() {
  local said
  [ "$(id -u)" = 0 ] || missing "the lab's Apptainer needs root"
  install_apptainer
  build_image
  said=$("$PREFIX/bin/singularity" --silent exec "$IMAGE" bash -c true 2>&1) ||
    missing "Apptainer cannot run a container here: $said"
  mkdir -p "$LAB/home"
  ln -sfn "$IMAGE" "$LAB/home/box.sif"
}

down() { :; }

"$1"
