#!/bin/bash
# Rotates the logs, then computes.
set -e
[ -e notes.log ] && tail -n 1 notes.log
#$ -cwd
#$ -N late
run() {
  echo "$JOB_NAME: ${NSLOTS} slots"
}
#$ -pe smp 3
#$ -j y
#$ -o late.log
run
