#!/bin/bash
#SBATCH --output=out --error=err --gres=gpu:2
module load python cuda/11.8
python show.py "$CUDA_VISIBLE_DEVICES" --gpus
srun -n 1 python show.py --gpus
