#!/bin/bash
#$ -cwd
#$ -N third
#$ -t 3
set -u
sed -n "${SGE_TASK_ID}p" <<'LIST'
alpha
beta
gamma
LIST
