#!/bin/bash
#SBATCH --output=out --error=err
module load python
srun -n 1 bash -c "python show.py double '\$HOME' && python show.py \"\$SLURM_PROCID\""
srun -n 1 bash -c 'python show.py single "$SLURM_PROCID"; exit 3'
echo "code $?"
srun -n 1 sh -c 'cd data; python ../show.py sh'
