#!/bin/bash
#$ -cwd
#$ -N single -j y -o single.log
if [ "$SGE_TASK_ID" = undefined ]; then
  echo "no task"
else
  echo "task $SGE_TASK_ID"
fi
[ -z "$SGE_TASK_ID" -o "$SGE_TASK_ID" = "undefined" ] && SGE_TASK_ID=1
echo "goes on as task $SGE_TASK_ID"
