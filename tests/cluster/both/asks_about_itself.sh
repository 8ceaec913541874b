#!/bin/bash
#$ -cwd -j y -o asks.log
#$ -N asks
qstat -j "$JOB_ID" > /dev/null && echo "known"
qdel 1 > /dev/null 2>&1 || echo "no job 1"
