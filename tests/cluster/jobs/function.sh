#!/bin/bash
#SBATCH --job-name=function
#SBATCH --partition=gtest
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=4
#SBATCH --output=%x.out
#SBATCH --error=%x.err
set -euo pipefail
module purge && module load singularity

in_box() {
  srun --ntasks=1 singularity exec --nv -B "$PWD:/run" --pwd /run "$HOME/box.sif" "$@"
}

if ! command -v singularity > /dev/null; then module load singularity; fi
in_box sh -c 'echo "$SLURM_CPUS_PER_TASK threads in $PWD" > made_inside'
cat made_inside
in_box false
echo "never said"
