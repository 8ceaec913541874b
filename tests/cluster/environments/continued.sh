#!/bin/bash
#SBATCH --output=out --error=err
module load python
T_A=1 \
  python \
    show.py \
    --level 3 \
    "a b"
srun -n 1 \
  python show.py c \
  | sed 's/^/> /'
