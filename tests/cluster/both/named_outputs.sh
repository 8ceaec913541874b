#!/bin/bash
#$ -cwd
#$ -N spectra
#$ -o $JOB_NAME-$JOB_ID.log
#$ -e errors.$JOB_NAME
echo "written"
ls nowhere 2> /dev/null || echo "nothing there" >&2
