#!/bin/bash
#SBATCH --output=out --error=err --nodes=2 --ntasks-per-node=2
module load python openmpi
mpirun -np 4 --map-by ppr:2:node python show.py --rank | sort
mpirun -np 2 -x T_X=1 python show.py | sort
