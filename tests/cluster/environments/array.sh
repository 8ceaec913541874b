#!/bin/bash
#SBATCH --output=out.%a --error=err.%a --array=1-3
module load python
name=$(sed -n "${SLURM_ARRAY_TASK_ID}p" data/list.txt)
python show.py "$SLURM_ARRAY_TASK_ID" "$name" --exit=$((SLURM_ARRAY_TASK_ID - 1))
