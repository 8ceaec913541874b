#!/bin/bash
#$ -N cwd
#$ -cwd
[ "$PWD" = "$SGE_O_WORKDIR" ] && echo "where it was given in"
[ -e job.sh ] && echo "beside its script"
[ "$HOME" = "$PWD" ] || echo "not at home"
