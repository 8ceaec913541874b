#!/bin/bash
#$ -N x
module load $SGE_TASK_ID
