#!/bin/bash
#SBATCH --job-name=array
#SBATCH --array=1-5:2%2
#SBATCH --partition=gp4d
#SBATCH --account=MST100001
#SBATCH --gres=gpu:1
#SBATCH --output=%x.%a.out
#SBATCH --error=%x.%a.err
module load singularity
singularity exec --nv $HOME/box.sif sh -c 'echo "task $SLURM_ARRAY_TASK_ID of $SLURM_ARRAY_TASK_COUNT"'
exit $((SLURM_ARRAY_TASK_ID / 5))
