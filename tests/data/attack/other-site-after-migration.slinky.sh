#!/bin/bash
#$ -cwd
#$ -l h_rt=90
sbatch -p gtest next.sh
