#!/bin/bash
#SBATCH --output=out --error=err
module purge
module load gcc/9.3.0
solver a "b c"
echo "$GCC_IS"
