#!/bin/bash
#SBATCH --output=out --error=err --ntasks=2
module load python
LAUNCH="srun -n 1"
$LAUNCH python show.py a
CMD="srun -n 1 python show.py"
$CMD b
EXE="python show.py"
srun -n 1 $EXE c
