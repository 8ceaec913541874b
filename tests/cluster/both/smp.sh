#!/bin/bash
#$ -cwd -j y -o smp.log
#$ -pe smp 4
export OMP_NUM_THREADS=$NSLOTS
echo "$OMP_NUM_THREADS threads"
seq 8 | xargs -P "$NSLOTS" -n 1 echo | sort -n | paste -s -d ' '
