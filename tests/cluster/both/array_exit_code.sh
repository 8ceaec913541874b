#!/bin/bash
#$ -cwd -j y -o $JOB_NAME.$TASK_ID
#$ -N one_fails
#$ -t 1-3
[ "$SGE_TASK_ID" -ne 2 ] || { echo "this one fails"; exit 4; }
echo "fine"
