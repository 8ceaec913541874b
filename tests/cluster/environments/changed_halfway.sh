#!/bin/bash
#SBATCH --output=out --error=err
module load python/3.10
python show.py first
module unload python
module load gromacs
mdrun second
