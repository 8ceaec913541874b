#!/bin/bash
#$ -cwd
#$ -N home_outputs
#$ -o $HOME/$JOB_NAME.log -j y
[ "$PWD" = "$SGE_O_WORKDIR" ] && echo "runs where it was given in, writes at home"
