#!/bin/bash
#SBATCH --output=out --error=err
module load python
bash step.sh one "two words"
./step.sh three
srun -n 1 ./step.sh four
sh -e step.sh five
