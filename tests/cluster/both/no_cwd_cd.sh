#!/bin/bash
#$ -N no_cwd_cd
cd "$SGE_O_WORKDIR" || exit 1
echo "results of ${PWD##*/}" | sed 's/\..*//' > results.txt
ls notes.log
