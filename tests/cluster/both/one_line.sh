#!/bin/bash
#$ -cwd -j y -N line -o line.log -pe smp 2 -l h_rt=00:10:00,h_vmem=1G -r n -p -10 -m n -A lab42 # all at once
#$ -M someone@example.org # who is told
echo "$JOB_NAME on $NSLOTS"
