#!/bin/bash
#$ -cwd
#$ -N odd
#$ -o $JOB_NAME_x.log
#$ -e $QUEUE.${JOB_NAME}.err
echo "names are replaced in the text, braces are not read"
echo "nor other names" >&2
