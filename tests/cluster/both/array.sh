#!/bin/bash
#$ -cwd -j y
#$ -N steps
#$ -t 1-7:3
#$ -tc 2
#$ -o logs/$JOB_NAME.$TASK_ID.log
echo "task $SGE_TASK_ID of $SGE_TASK_FIRST to $SGE_TASK_LAST, by $SGE_TASK_STEPSIZE"
echo "$SGE_TASK_ID" > "part.$JOB_ID.${SGE_TASK_ID}"
