#!/bin/bash
#$ -cwd -j y -o environment.log
#$ -V
#$ -v METHOD=fast,STEPS=20
echo "$METHOD in $STEPS steps"
echo "${COLOUR:-no colour}"
