#!/bin/bash
#$ -cwd -j y
#$ -N named
#$ -t 1-10:4
#$ -o logs/$JOB_NAME.$TASK_ID.log
echo "last $SGE_TASK_LAST, of ${#SGE_TASK_LAST} digits"
printenv SGE_TASK_ID NSLOTS
name=SGE_TASK_STEPSIZE; echo "step ${!name}"
eval i=\$SGE_TASK_ID; echo "index $i"
awk 'BEGIN { print ENVIRON["SGE_TASK_FIRST"], ENVIRON["JOB_ID"] != "" }'
bash -c 'echo "another shell: $SGE_TASK_LAST"'
echo "$SGE_TASK_ID" > "part.$JOB_ID.${SGE_TASK_ID}"
