#!/bin/bash
#SBATCH --output=out --error=err --nodes=2 --ntasks-per-node=1
module load python
srun --label torchrun --nnodes=2 --nproc-per-node=2 --rdzv-backend=c10d show.py a | sed 's/^[01]: //' | sort
