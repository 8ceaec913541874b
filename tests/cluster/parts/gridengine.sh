#!/usr/bin/env bash
# Grid Engine 8.1.9 on loopback, where the scripts come from:  gridengine.sh up|down
#
# One host of 64 slots and 8 GPUs (a number to count down: no devices). The names that scripts ask for below are those
# of ABCI and those that many sites use, so that such scripts can be given in on hold.
PART=gridengine
set -euo pipefail
# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "$0")/../lib.sh"

QUEUES=(all.q gpu.q long.q short.q unix.q)
# name and allocation rule
# shellcheck disable=SC2016 # Grid Engine's own words
ENVIRONMENTS=(
  'smp $pe_slots' 'openmp $pe_slots' 'threaded $pe_slots' 'shared $pe_slots' 'def_slot $pe_slots'
  'mpi $fill_up' 'orte $fill_up' 'openmpi $fill_up' 'make $round_robin' 'mpi_rr $round_robin' 'mpi-8 8' 'mpi-16 16'
)
# name, type and relation, consumable, how many the host has
COMPLEXES=(
  'gpu INT <= YES 8' 'ngpus INT <= YES 8' 'rt_F INT <= YES 512' 'rt_G.large INT <= YES 512'
  'rt_G.small INT <= YES 512' 'rt_C.large INT <= YES 512' 'rt_C.small INT <= YES 512' 'rt_AF INT <= YES 512'
  'rt_AG.small INT <= YES 512' 'rt_M.large INT <= YES 512' 'rt_M.small INT <= YES 512' 'USE_SSH BOOL == NO TRUE'
  'USE_BEEOND BOOL == NO TRUE' 'USE_EXTRA_NETWORK BOOL == NO TRUE' 'docker BOOL == NO TRUE'
  'docker_images RESTRING == NO *' 'exclusive BOOL EXCL YES TRUE' 'mem_req MEMORY <= YES 900G'
  'm_mem_free MEMORY <= YES 900G' 'tmpfs MEMORY <= YES 900G'
)
PROJECTS=(general research)

ROOT=$LAB/sge
COMMON=$ROOT/default/common
PROGRAMS=$PREFIX/usr/lib/gridengine
HOST=$(hostname -s)
ARCH=lx-$(dpkg --print-architecture 2>/dev/null || true)
export SGE_ROOT=$ROOT SGE_CELL=default SGE_ARCH=$ARCH SGE_QMASTER_PORT=$((PORT + 201)) SGE_EXECD_PORT=$((PORT + 202))

install_gridengine() {
  local nothing
  "$PROGRAMS/qsub" -help >/dev/null 2>&1 && [ -e "$PREFIX/ready" ] && return
  unpack gridengine-common gridengine-client gridengine-master gridengine-exec patchelf
  own_libraries "$PROGRAMS"/{qacct,qalter,qconf,qdel,qhost,qmod,qrsh_starter,qstat,qsub} "$PROGRAMS"/libspoolc.so \
    "$PROGRAMS"/{sge_execd,sge_qmaster,sge_shepherd,spooldefaults.bin,spoolinit}
  # Debian compiled the place of one library into these programs, a folder of the machine; without it they look
  # where their other libraries are.
  nothing=$(printf '\\x00%.0s' {1..16}) # the end stays: other texts share it
  sed -i "s|/usr/lib/gridengine/%s%s|%s%s$nothing%s%s|" "$PROGRAMS"/{sge_qmaster,spooldefaults.bin,spoolinit}
  ln -s ../gridengine/libspoolc.so "$LIB/"
  : >"$PREFIX/ready"
}

bootstrap() {
  local folder
  mkdir -p "$COMMON" "$ROOT"/{bin,lib,utilbin,tmp,home} "$ROOT"/spool/{qmaster,execd}
  for folder in bin lib utilbin; do ln -sfn "$PROGRAMS" "$ROOT/$folder/$ARCH"; done
  echo "$HOST" >"$COMMON/act_qmaster"
  echo "$HOST localhost" >"$COMMON/host_aliases" # 127.0.0.1 leads back to localhost, which would be a stranger
  echo 70000 >"$ROOT/spool/qmaster/jobseqnum"    # job ids that nobody takes for an index or a count
  cat >"$COMMON/bootstrap" <<CONF
admin_user              none
default_domain          none
ignore_fqdn             true
spooling_method         classic
spooling_lib            libspoolc
spooling_params         $COMMON;$ROOT/spool/qmaster
binary_path             $PROGRAMS
qmaster_spool_dir       $ROOT/spool/qmaster
security_mode           none
listener_threads        2
worker_threads          2
scheduler_threads       1
CONF
}

first_data() {
  local resources=$PREFIX/usr/share/gridengine
  sed -e "s|^execd_spool_dir .*|execd_spool_dir $ROOT/spool/execd|" -e 's/^min_\([ug]\)id .*/min_\1id 0/' \
    -e 's/^gid_range .*/gid_range 65400-65500/' -e 's|^mailer .*|mailer /bin/true|' \
    -e 's/^load_report_time .*/load_report_time 00:00:01/' \
    -e 's/^reporting_params .*/reporting_params accounting=true reporting=false accounting_flush_time=00:00:00/' \
    "$resources/default-configuration" >"$ROOT/tmp/configuration"
  "$PROGRAMS/spoolinit" classic libspoolc "$COMMON;$ROOT/spool/qmaster" init
  "$PROGRAMS/spooldefaults.bin" configuration "$ROOT/tmp/configuration"
  "$PROGRAMS/spooldefaults.bin" complexes "$resources/util/resources/centry"
  "$PROGRAMS/spooldefaults.bin" usersets "$resources/util/resources/usersets"
  "$PROGRAMS/spooldefaults.bin" managers root
}

# Grid Engine takes settings from files.
set_up() {
  local file=$ROOT/tmp/setting
  cat >"$file"
  "$PROGRAMS/qconf" "$@" "$file" >"$ROOT/tmp/said" 2>&1 || {
    echo "gridengine: qconf $*: $(<"$ROOT/tmp/said")" >&2
    exit 1
  }
}

settings() { cat "$0" && echo "$PORT"; }

names() { printf '%s\n' "$@" | cut -d' ' -f1; }

add_resources() {
  local line name number has=()
  for line in "${COMPLEXES[@]}"; do
    read -r name _ _ _ number <<<"$line"
    has+=("$name=$number")
  done
  # Memory is counted down as at many sites: what is asked for is for each slot, and a job that does not ask gets this.
  { "$PROGRAMS/qconf" -sc | sed -E 's/^(h_vmem .* YES +)NO +0 /\1YES 8G /' && printf '%s\n' "${COMPLEXES[@]}" |
    awk '{print $1, $1, $2, $3, "YES", $4, $2 == "RESTRING" ? "NONE" : 0, 0}'; } | set_up -Mc
  sed 's/ *$//' <<CONF | set_up -Ae
hostname $HOST
load_scaling NONE
complex_values slots=64,h_vmem=900G,$(IFS=, && echo "${has[*]}")
user_lists NONE
xuser_lists NONE
projects NONE
xprojects NONE
usage_scaling NONE
report_variables NONE
CONF
}

add_environments() {
  local name rule
  while read -r name rule; do
    set_up -Ap <<CONF
pe_name $name
slots 999
user_lists NONE
xuser_lists NONE
start_proc_args NONE
stop_proc_args NONE
allocation_rule $rule
control_slaves TRUE
job_is_first_task TRUE
urgency_slots min
accounting_summary TRUE
qsort_args NONE
CONF
  done < <(printf '%s\n' "${ENVIRONMENTS[@]}")
}

add_queues() {
  local queue
  for queue in "${QUEUES[@]}"; do
    "$PROGRAMS/qconf" -sq | sed -e "s/^qname .*/qname $queue/" -e "s/^hostlist .*/hostlist $HOST/" \
      -e 's/^slots .*/slots 64/' -e 's/^load_thresholds .*/load_thresholds NONE/' \
      -e "s/^pe_list .*/pe_list $(names "${ENVIRONMENTS[@]}" | xargs)/" -e 's|^shell .*|shell /bin/bash|' \
      -e "s|^starter_method .*|starter_method $ROOT/start|" |
      set_up -Aq
  done
  "$PROGRAMS/qconf" -mattr queue shell_start_mode unix_behavior unix.q >/dev/null
  "$PROGRAMS/qconf" -mattr queue seq_no 1 unix.q >/dev/null
}

add_projects() {
  local project
  for project in "${PROJECTS[@]}"; do
    printf '%s\n' "name $project" 'oticket 0' 'fshare 0' 'acl NONE' 'xacl NONE' | set_up -Aprj
  done
}

schedule_at_once() {
  "$PROGRAMS/qconf" -ssconf | sed -e 's/^schedule_interval .*/schedule_interval 0:0:1/' \
    -e 's/^\(flush_[a-z]*_sec\) .*/\1 1/' | set_up -Msconf
}

# Jobs see the programs of a node of the new cluster and Grid Engine's own, and no more of this machine. The shell is
# the queue's, or that of -S; the first line of a script counts in unix.q alone. TMPDIR and ENVIRONMENT are what every
# user's job has; Grid Engine takes them away from root's alone.
write_starter() {
  cat >"$ROOT/start" <<START
#!/bin/sh
export TMPDIR="\$TMP" ENVIRONMENT=BATCH
PATH=\$TMPDIR:$ROOT/client:$LAB/node/bin
while IFS== read -r name value; do
  case \$name in handle_as_binary | no_shell | shell_start_mode) eval "\$name=\$value" ;; esac
done <"\$SGE_JOB_SPOOL_DIR/config"
[ "\$no_shell\$shell_start_mode" != 0posix_compliant ] && exec "\$@"
[ "\$handle_as_binary" = 0 ] || set -- -c "\$*" # the shell reads the words of a command once more
exec "\$SGE_STARTER_SHELL_PATH" "\$@"
START
  chmod +x "$ROOT/start"
  mkdir -p "$ROOT/client"
  ln -sf "$PROGRAMS"/{qacct,qalter,qdel,qhold,qrls,qstat,qsub} "$ROOT/client/"
}

# What a client must know, for the tests.
write_settings() {
  printf '%s\n' "PATH=$ROOT/client:$LAB/node/bin" "SGE_ROOT=$SGE_ROOT" "SGE_CELL=$SGE_CELL" "SGE_ARCH=$SGE_ARCH" \
    "SGE_QMASTER_PORT=$SGE_QMASTER_PORT" "SGE_EXECD_PORT=$SGE_EXECD_PORT" "HOME=$ROOT/home" >"$ROOT/settings"
}

answers() { timeout 5 "$PROGRAMS/qconf" -sh >/dev/null 2>&1; }
qmaster_is_alive() { alive "$ROOT/spool/qmaster/qmaster.pid"; }
execd_is_alive() { # its folder is named for the host, as Grid Engine calls it
  local file
  for file in "$ROOT"/spool/execd/*/execd.pid; do
    alive "$file" && return
  done
  return 1
}
queues_are_up() { timeout 5 "$PROGRAMS/qstat" -f 2>/dev/null | awk '/@/ {n++; bad += NF > 5} END {exit !n || bad}'; }

grid_daemon() {
  daemon SGE_ROOT="$SGE_ROOT" SGE_CELL=$SGE_CELL SGE_ARCH="$SGE_ARCH" SGE_QMASTER_PORT=$SGE_QMASTER_PORT \
    SGE_EXECD_PORT=$SGE_EXECD_PORT "$@"
}

start_qmaster() {
  qmaster_is_alive && answers && return
  rm -rf "$ROOT"/spool/qmaster/job{s,_scripts}/* # an earlier session's
  grid_daemon "$PROGRAMS/sge_qmaster"
  await "$ROOT/spool/qmaster/messages" answers
}

# The home of root is, for jobs, a folder of the lab: Grid Engine takes it from the machine's list of users.
start_execd() {
  execd_is_alive && return
  sed "s|^\(root:[^:]*:0:[^:]*:[^:]*\):[^:]*|\1:$ROOT/home|" /etc/passwd >"$ROOT/passwd"
  # shellcheck disable=SC2016 # the inner shell's own words
  grid_daemon "$(command -v unshare)" --mount "$(command -v sh)" -c '"$1" --bind "$2" /etc/passwd && exec "$3"' \
    sh "$(command -v mount)" "$ROOT/passwd" "$PROGRAMS/sge_execd" ||
    missing "this machine does not let Grid Engine have a mount namespace of its own"
  await "$ROOT/spool/qmaster/messages" queues_are_up
}

set_up_all() {
  "$PROGRAMS/qconf" -as "$HOST" >/dev/null 2>&1
  add_resources
  add_environments
  add_queues
  add_projects
  schedule_at_once
  write_starter
  write_settings
  settings >"$ROOT/ready"
}

up() {
  [ "$(id -u)" = 0 ] || missing "the lab's Grid Engine needs root"
  install_gridengine
  # What an earlier version of this file set up, or with other ports, is set up anew.
  if ! cmp -s <(settings) "$ROOT/ready"; then
    down
    rm -rf "$ROOT"
    bootstrap
    first_data >"$ROOT/tmp/said" 2>&1 || { cat "$ROOT/tmp/said" >&2 && exit 1; }
  fi
  start_qmaster
  [ -e "$ROOT/ready" ] || set_up_all
  start_execd
}

down() { end "$ROOT/spool/qmaster/qmaster.pid" "$ROOT"/spool/execd/*/execd.pid; }

"$1"
