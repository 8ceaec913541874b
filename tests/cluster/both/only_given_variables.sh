#!/bin/bash
#$ -cwd -j y -o variables.log
#$ -v COLOUR
#$ -v METHOD="slow and sure"
echo "$METHOD"
echo "${COLOUR:-no colour}, ${SIZE:-no size}"
