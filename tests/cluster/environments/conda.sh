#!/bin/bash
#SBATCH --output=out --error=err
source ~/miniconda3/etc/profile.d/conda.sh
module load cuda/11.8
conda activate llama
python show.py conda
conda deactivate
