#!/bin/bash
#SBATCH --job-name=plain
#SBATCH --partition=gtest
#SBATCH --account=MST100001
#SBATCH --nodes=1
#SBATCH --gres=gpu:2
#SBATCH --time=00:05:00
#SBATCH --output=%x.out
#SBATCH --error=%x.err

module purge
module load singularity

echo "memory per GPU in MiB: $SLURM_MEM_PER_GPU"
singularity exec --nv $HOME/box.sif bash -c 'source /etc/os-release; echo "in $PRETTY_NAME, $SLURM_GPUS_ON_NODE GPUs"'
singularity exec $HOME/box.sif sh -c 'exit 3'
