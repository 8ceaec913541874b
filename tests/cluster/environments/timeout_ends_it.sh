#!/bin/bash
#SBATCH --output=out --error=err
module load python
timeout 20 python show.py --sleep=300
echo "code $?"
