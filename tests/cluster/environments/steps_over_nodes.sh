#!/bin/bash
#SBATCH --output=out --error=err --nodes=2 --ntasks-per-node=2
module load python openmpi
srun python show.py --rank | sort
srun --nodes=2 --ntasks=2 --ntasks-per-node=1 bash -c 'python show.py --rank "$SLURMD_NODENAME"' | sort
