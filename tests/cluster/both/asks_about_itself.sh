#!/bin/bash
#$ -cwd -j y -o asks.log
#$ -N asks
qstat -j "$JOB_ID" > /dev/null && echo "known"
