#!/bin/bash
#SBATCH --output=out --error=err
module load python
cmd=(python show.py "a b" '*')
"${cmd[@]}"
"${cmd[@]}" more "c  d"
opts=(--x "y z")
opts+=(--w)
python show.py "${opts[@]}"
