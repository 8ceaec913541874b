#!/bin/bash
#$ -cwd
#$ -N together -j y -o together.log
#$ -t 1-4 -tc 1
echo "task $SGE_TASK_ID"
