#!/bin/bash
#$ -N wd -wd /usr/bin
#$ -o $HOME/wd.out -e $HOME/wd.err
echo "in $PWD, which has env: $(ls env)"
