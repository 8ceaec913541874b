#!/bin/bash
#SBATCH --output=out --error=err
module load python
CMD="python show.py 'a b' c"
eval "$CMD"
eval $CMD d
eval "python show.py e"
eval python show.py f
