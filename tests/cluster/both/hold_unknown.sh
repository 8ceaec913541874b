#!/bin/bash
#$ -cwd
#$ -j y -o hold_unknown.log
#$ -hold_jid nobody,99999
echo "waits for no job that is not there"
