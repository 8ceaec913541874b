#!/bin/bash
#$ -cwd
#$ -j y -o notes.log
echo "added by the job"
