#!/bin/sh
#$ -cwd
#$ -j y -o posix.log
#$ -S /bin/sh
set -- a b c
echo "$# words, ${NSLOTS:-no} slot, ${BASH_VERSION:-not bash}"
