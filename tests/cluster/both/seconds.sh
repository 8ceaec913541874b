#!/bin/bash
#$ -cwd -j y -o seconds.log
#$ -l h_rt=90,h_vmem=500M
sleep 1
echo "in time"
