#!/bin/bash
#$ -cwd -j y -o memory.log
#$ -N memory
#$ -pe smp 2
#$ -l h_vmem=2G
head -c 300M /dev/zero | tail -c 1 | wc -c
