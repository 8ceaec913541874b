#!/usr/bin/env bash
# Slurm as Slinky runs it, on loopback:  slurm.sh up|down
#
#   run    2 nodes of 64 CPUs, 900 GB and 8 GPUs each (the GPUs are /dev/null), on which jobs really run
#   judge  128 nodes of 192 CPUs, 2 TB and 8 GPUs each that only the controller knows of: it judges jobs of any size
#
# Both as the Slinky chart sets Slurm up: no DefMemPerCPU, no accounting; the one partition that the target names.
PART=slurm
set -euo pipefail
# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "$0")/../lib.sh"

MUNGE=$LAB/munge
export PATH=$PREFIX/usr/bin:$PREFIX/usr/sbin:$PATH

install_slurm() {
  local plain program
  "$PREFIX/usr/sbin/slurmctld" -V >/dev/null 2>&1 && return
  unpack slurm-client slurmd slurmctld slurm-wlm-basic-plugins munge patchelf
  for program in slurmctld slurmd slurmstepd; do # Debian's alternatives
    plain=$PREFIX/usr/sbin/$program
    [ -e "$plain" ] || cp "$plain-wlm" "$plain"
  done
  own_libraries "$PREFIX"/usr/bin/{munge,sbatch,scancel,scontrol,sinfo,squeue,srun} \
    "$PREFIX"/usr/sbin/{munged,slurmctld,slurmd,slurmstepd} "$LIB"/slurm-wlm/*.so
}

# The GPUs' device files must be character devices; these are /dev/null under another name, never /dev/nvidia*.
make_gpus() {
  local i
  mkdir -p "$LAB/gpus"
  for i in {0..7}; do
    [ -c "$LAB/gpus/gpu$i" ] || mknod -m 666 "$LAB/gpus/gpu$i" c 1 3 || missing "device files cannot be made here"
  done
}

# configure NAME CONTROLLER_PORT LINE...
configure() {
  local base=$LAB/$1
  mkdir -p "$base"/{state,spool,log}
  cat >"$base/slurm.conf.new" <<CONF
ClusterName=$1
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=$2
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$MUNGE/socket
CredType=cred/munge
PluginDir=$LIB/slurm-wlm
StateSaveLocation=$base/state
SlurmctldPidFile=$base/slurmctld.pid
SlurmctldLogFile=$base/log/slurmctld.log
SlurmdSpoolDir=$base/spool/%n
SlurmdPidFile=$base/slurmd-%n.pid
SlurmdLogFile=$base/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0,sched_interval=1,bf_interval=1
EnforcePartLimits=ALL
AccountingStorageType=accounting_storage/none
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
ReturnToService=2
FirstJobId=500000
MailProg=/bin/true
PropagateResourceLimits=NONE
GresTypes=gpu
KillWait=2
$(printf '%s\n' "${@:3}")
PartitionName=slinky Nodes=ALL Default=YES MaxTime=UNLIMITED
CONF
  echo "CgroupPlugin=disabled" >"$base/cgroup.conf"
}

configure_run() {
  local here
  here="NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=$((PORT + 101))-$((PORT + 102))"
  configure run $((PORT + 17)) \
    "SlurmdParameters=config_overrides" \
    "NodeName=n[1-2] $here SocketsPerBoard=2 CoresPerSocket=32 RealMemory=900000 Gres=gpu:8"
  echo "NodeName=n[1-2] Name=gpu File=$LAB/gpus/gpu[0-7]" >"$LAB/run/gres.conf"
}

configure_judge() {
  configure judge $((PORT + 1017)) \
    "ResumeProgram=/bin/true" \
    "SuspendProgram=/bin/true" \
    "NodeName=v[1-128] State=CLOUD SocketsPerBoard=2 CoresPerSocket=96 RealMemory=2000000 Gres=gpu:8"
  echo "NodeName=v[1-128] Name=gpu Count=8" >"$LAB/judge/gres.conf"
}

changed() { ! cmp -s "$LAB/$1/slurm.conf.new" "$LAB/$1/slurm.conf"; }
answers() { SLURM_CONF=$LAB/$1/slurm.conf timeout 5 scontrol ping 2>/dev/null | grep -q UP; }
idle_nodes() { SLURM_CONF=$LAB/run/slurm.conf timeout 5 sinfo -h -N -t idle,mix,alloc -o %N 2>/dev/null | wc -l; }
munge_answers() { timeout 5 munge -n -S "$MUNGE/socket" >/dev/null 2>&1; }

start_munge() {
  munge_answers && return
  mkdir -p "$MUNGE"
  [ -s "$MUNGE/key" ] || (umask 077 && head -c 128 /dev/urandom >"$MUNGE/key")
  daemon "$PREFIX/usr/sbin/munged" --force --key-file="$MUNGE/key" --socket="$MUNGE/socket" \
    --pid-file="$MUNGE/munged.pid" --log-file="$MUNGE/log" --seed-file="$MUNGE/seed"
  await "$MUNGE/log" munge_answers
}

start_controller() {
  local base=$LAB/$1
  answers "$1" && return
  daemon "$PREFIX/usr/sbin/slurmctld" -c -f "$base/slurm.conf" # -c: forget an earlier session's jobs
  await "$base/log/slurmctld.log" answers "$1"
}

start_nodes() {
  local node
  for node in n1 n2; do
    alive "$LAB/run/slurmd-$node.pid" && continue
    mkdir -p "$LAB/run/spool/$node"
    daemon "$PREFIX/usr/sbin/slurmd" -f "$LAB/run/slurm.conf" -N $node -d "$PREFIX/usr/sbin/slurmstepd"
  done
  await "$LAB/run/log/slurmd-n1.log" nodes_are_up
}
nodes_are_up() { [ "$(idle_nodes)" = 2 ]; }

up() {
  [ "$(id -u)" = 0 ] || missing "the lab's Slurm needs root"
  install_slurm
  make_gpus
  configure_run
  configure_judge
  if changed run || changed judge; then down; fi
  mv "$LAB/run/slurm.conf.new" "$LAB/run/slurm.conf"
  mv "$LAB/judge/slurm.conf.new" "$LAB/judge/slurm.conf"
  start_munge
  start_controller run
  start_controller judge
  start_nodes
}

down() { end "$LAB"/run/*.pid "$LAB"/judge/*.pid "$MUNGE"/*.pid; }

"$1"
