#!/usr/bin/env bash
# Open MPI's launcher, which starts any program (MPI programs would need the rest of Open MPI):  openmpi.sh up|down
PART=openmpi
set -euo pipefail
# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "$0")/../lib.sh"

# By name, since what Debian has them depend on brings half a gigabyte of drivers and compilers.
PACKAGES=(
  openmpi-bin openmpi-common libprrte-bin libprrte4 prrte-common libpmix2t64 libhwloc15 libevent-core-2.1-7t64
  libevent-pthreads-2.1-7t64 libesmtp6 libssl3t64 libudev1 libcap2 libzstd1 zlib1g
  libc6 libgcc-s1 libstdc++6 patchelf
)

works() { timeout 20 env -i PATH="$PATH" HOME="$LAB/home" "$PREFIX/bin/mpirun" -np 1 true >"$LAB/openmpi.log" 2>&1; }

install_openmpi() {
  [ -e "$PREFIX/ready" ] && return
  unpack_just "${PACKAGES[@]}"
  own_libraries "$PREFIX"/usr/bin/{mpirun.openmpi,prte,prted} "$LIB"/prte/*.so "$LIB"/pmix2/lib/pmix/*.so
  write_launcher
  works || missing "Open MPI's mpirun does not start here: $(tail -n 1 "$LAB/openmpi.log")"
  : >"$PREFIX/ready"
}

# These programs look for their own files below the folders that they were built for, unless they are told. And Debian
# builds them without Grid Engine, whose slots an Open MPI of such a site knows.
write_launcher() {
  mkdir -p "$PREFIX/bin"
  cat >"$PREFIX/bin/mpirun" <<LAUNCHER
#!/bin/sh
export OPAL_PREFIX=$PREFIX/usr PRTE_PREFIX=$PREFIX/usr PMIX_PREFIX=$LIB/pmix2
export PRTE_MCA_mca_base_component_path=$LIB/prte
export PRTE_ALLOW_RUN_AS_ROOT=1 PRTE_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export PMIX_MCA_pcompress_base_silence_warning=1
[ -z "\$PE_HOSTFILE" ] || set -- --host "localhost:\$NSLOTS" "\$@"
case "\$*" in *bind-to*) ;; *) set -- --bind-to none "\$@" ;; esac # there may be fewer cores than slots
exec $PREFIX/usr/bin/mpirun.openmpi "\$@"
LAUNCHER
  chmod +x "$PREFIX/bin/mpirun"
}

up() { install_openmpi; }

down() { :; }

"$1"
