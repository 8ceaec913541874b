#!/bin/bash
#$ -cwd -j y -o out.txt
#$ -N slots
#$ -pe smp 2
awk '{ slots += $2 } END { print NR " hosts, " slots " slots" }' $PE_HOSTFILE
echo "$NSLOTS in $PE, ${NSLOTS:-none}, $((NSLOTS + 1))"
case $SGE_TASK_ID in undefined) echo "no array" ;; esac
echo "${#SGE_TASK_ID} letters"
