#!/bin/bash
#SBATCH --output=out --error=err
module load python
torchrun --nproc-per-node=2 show.py a "b c"
torchrun --standalone --nproc-per-node 1 show.py --in < data/a.txt
python -m torch.distributed.run --nproc-per-node=1 show.py m
