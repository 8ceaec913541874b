#!/usr/bin/env bash
# A Docker engine on a socket of its own, and small images that Docker and Apptainer both have:  docker.sh up|down
#
# No bridge and no packet filter: containers see no network, and the machine's network stays as it is. No GPUs either:
# Docker takes `--gpus` and sets NVIDIA_VISIBLE_DEVICES, and that is all.
PART=docker
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=SCRIPTDIR/../lib.sh
. "$here/lib.sh"

ENGINE=$PREFIX/engine
LOG=$ENGINE/log
export DOCKER_HOST=unix://$ENGINE/socket DOCKER_CONFIG=$PREFIX/config DOCKER_BUILDKIT=0
export PATH=$PREFIX/usr/bin:$PREFIX/usr/sbin:$PREFIX/hooks:$LAB/apptainer/bin:$LAB/apptainer/usr/bin:$PATH:/usr/sbin:/sbin

# All are `box`, the busybox of apptainer.sh with the files of image/, and differ in what their Dockerfile says.
# shellcheck disable=SC2016 # for shells in containers
declare -A IMAGES=(
  [cmd]='CMD ["probe", "of", "CMD"]'
  [cmdsh]='CMD probe of CMD in $HOME'
  [ep]='ENTRYPOINT ["probe", "entry"]'
  [epcmd]='ENTRYPOINT ["probe", "entry"]
           CMD ["of", "CMD"]'
  [epsh]='ENTRYPOINT probe entry in $HOME'
  [env]='ENV FOO=imgfoo BAR="two words" PATH=/srv/app/bin:/usr/local/bin:/usr/bin:/bin'
  [workdir]='WORKDIR /srv/app'
  [user]='USER 1000'
  [volume]='VOLUME /data'
  [banner]='ENTRYPOINT ["banner"]
            WORKDIR /workspace
            ENV FRAMEWORK=24.01
            CMD ["probe", "of", "CMD"]'
  [app]='USER 3000:3000
         WORKDIR /srv/app
         ENV FOO=imgfoo'
  [shell]='ENTRYPOINT ["sh", "-c", "echo shell of the image; exec probe \"$@\"", "entry"]'
)

install_docker() {
  [ -e "$PREFIX/ready" ] && return
  down
  unpack docker.io docker-cli containerd runc tini-static patchelf
  own_libraries "$PREFIX"/usr/sbin/{dockerd,runc} "$PREFIX"/usr/bin/{docker,containerd,containerd-shim-runc-v2}
  mkdir -p "$ENGINE" "$DOCKER_CONFIG" "$PREFIX"/{hooks,programs}
  # Docker hands GPUs to this program of NVIDIA's, and refuses `--gpus` where it is not on its path.
  ln -s /bin/true "$PREFIX/hooks/nvidia-container-runtime-hook"
  : >"$PREFIX/ready"
}

# By which names scripts call Docker.
write_program() {
  rm -f "$PREFIX/programs/$1"
  { echo "#!/bin/sh" && cat; } >"$PREFIX/programs/$1"
  chmod +x "$PREFIX/programs/$1"
}

# Docker keeps a list of what it was asked, where CALLS names a file: each time a count of words and the words.
# shellcheck disable=SC2016 # for the shells that run them
write_programs() {
  write_program docker <<PROGRAM
[ -z "\$CALLS" ] || printf '%s\\0' \$# "\$@" >>"\$CALLS"
exec $PREFIX/usr/bin/docker "\$@"
PROGRAM
  write_program podman <<<'exec docker "$@"'
  write_program nvidia-docker <<<'verb=$1; shift; exec docker "$verb" --runtime=nvidia "$@"'
  write_program sudo <<<'[ "$1" != -E ] || shift; exec "$@"'
}

# What as_user.sh puts in place of the machine's own: Apptainer wants to know its user, and to mount images.
make_user() {
  mkdir -p "$PREFIX/home"
  chown 2001:2001 "$PREFIX/home"
  { cat /etc/passwd && echo "someone:x:2001:2001::$PREFIX/home:/bin/bash"; } >"$PREFIX/passwd"
  { cat /etc/group && echo "someone:x:2001:"; } >"$PREFIX/group"
  [ -c "$PREFIX/fuse" ] || mknod -m 666 "$PREFIX/fuse" c 10 229 || missing "device files cannot be made here"
}

answers() { timeout 5 docker version >/dev/null 2>&1; }

start_engine() {
  answers && return
  down # what an earlier session left half alive
  rm -f "$ENGINE/socket" "$ENGINE/pid" "$ENGINE/exec/containerd/containerd.pid"
  # It sees the user whom make_user made, and what it mounts is gone with it.
  # shellcheck disable=SC2016 # for the shell that starts it
  env -i PATH="$PATH" setsid unshare --mount sh -c 'mount --bind "$0" /etc/passwd && exec "$@"' "$PREFIX/passwd" \
    dockerd --host="$DOCKER_HOST" --group=2001 --pidfile="$ENGINE/pid" \
    --data-root="$ENGINE/data" --exec-root="$ENGINE/exec" --shutdown-timeout=1 --exec-opt=native.cgroupdriver=cgroupfs \
    --bridge=none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
    --default-ulimit=nofile=1024:4096 --add-runtime="nvidia=$PREFIX/usr/sbin/runc" </dev/null >"$LOG" 2>&1 &
  for _ in {1..300}; do
    answers && return
    kill -0 $! 2>/dev/null || break
    sleep 0.1
  done
  missing "Docker's engine does not start here: $(tail -n 1 "$LOG")"
}

images_are_new() {
  local sources=("$LAB/box.sif" "$here/image" "$here/parts/docker.sh")
  [ -e "$PREFIX/images/ready" ] && [ -z "$(find "${sources[@]}" -newer "$PREFIX/images/ready")" ]
}

forget_containers() { docker ps --all --quiet | xargs --no-run-if-empty docker rm --force >/dev/null; }

build_images() {
  local name log=$PREFIX/images/log
  images_are_new && return
  rm -rf "$PREFIX/images" "$PREFIX/box"
  mkdir "$PREFIX/images"
  cp -a "$LAB/box" "$PREFIX/box"
  cp -R "$here/image/." "$PREFIX/box"
  chmod -R go=u-w "$PREFIX/box"
  echo 'worker:x:1000:1000::/home:/bin/sh' >>"$PREFIX/box/etc/passwd"
  tar -C "$PREFIX/box" -c . | docker import - local/box >/dev/null
  docker run --rm local/box true >"$log" 2>&1 ||
    missing "Docker cannot run a container here: $(tail -n 1 "$log")"
  for name in "${!IMAGES[@]}"; do
    printf 'FROM local/box\n%s\n' "${IMAGES[$name]}" | docker build --tag "local/$name" - >"$log" 2>&1 ||
      missing "Docker cannot build an image here: $(tail -n 1 "$log")"
  done
  for name in box "${!IMAGES[@]}"; do
    docker save --output "$PREFIX/images/$name.tar" "local/$name:latest"
    apptainer --quiet build "$PREFIX/images/$name.sif" "docker-archive:$PREFIX/images/$name.tar" >"$log" 2>&1 ||
      missing "Apptainer cannot build an image of Docker's here: $(tail -n 1 "$log")"
    rm "$PREFIX/images/$name.tar"
  done
  : >"$PREFIX/images/ready"
}

up() {
  [ "$(id -u)" = 0 ] || missing "the lab's Docker engine needs root"
  [ ! -e "$LAB/missing/apptainer" ] || missing "it is there to be compared with Apptainer, and that is missing"
  install_docker
  write_programs
  make_user
  start_engine
  forget_containers
  build_images
}

down() {
  end "$ENGINE/pid" # and containerd with it, unless the engine was killed
  end "$ENGINE/exec/containerd/containerd.pid"
}

"$1"
