#!/bin/bash
#$ -cwd -j y -o warned.log
#$ -N warned
#$ -N warned_again
echo "the last one counts: $JOB_NAME"
