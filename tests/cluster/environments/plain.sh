#!/bin/bash
#SBATCH --output=out --error=err
module load python/3.10
python show.py one "two  words" '*' '$HOME' ''
python3 show.py --exit=0
