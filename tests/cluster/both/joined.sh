#!/bin/bash
#$ -cwd
#$ -N joined
#$ -j y
#$ -e nothing.err
echo "first, to standard output"
echo "second, to standard error" >&2
echo "third, to standard output"
