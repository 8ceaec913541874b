#!/bin/bash
#SBATCH --job-name=bash_c
#SBATCH --partition=gp1d
#SBATCH --ntasks=2
#SBATCH --gres=gpu:2
#SBATCH --output=%x.out
#SBATCH --error=%x.err
export SIF=$HOME/box.sif
srun bash -c 'module load singularity
singularity exec --nv $SIF echo "rank $SLURM_PROCID"' | sort
srun -N1 -n1 bash -c "module purge; module load singularity; singularity exec $SIF basename /a/merged"
