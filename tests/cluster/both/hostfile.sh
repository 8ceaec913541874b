#!/bin/bash
#$ -cwd -j y -o hostfile.log
#$ -pe mpi 6
awk '{ slots += $2 } END { print slots, "slots" }' "$PE_HOSTFILE"
while read -r host slots queue rest; do
  [ -n "$host" ] && [ "$slots" -gt 0 ] && echo "$slots on a host"
done < $PE_HOSTFILE
awk '{print $1":"$2}' $PE_HOSTFILE | sed 's/.*:/host:/' > machines
