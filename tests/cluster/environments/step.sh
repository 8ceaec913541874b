#!/bin/bash
#SBATCH --output=out --error=err --ntasks=2
module load python
srun -n 1 python show.py one
srun -n 2 python show.py two | sort
srun --ntasks=1 env T_A=1 python show.py three
