#!/bin/bash
#SBATCH --output=out --error=err
module load python/3.10
source myvenv/bin/activate
python show.py --prefix
own
python -c 'import own; print("own", own.version)'
