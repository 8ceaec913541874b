#!/bin/bash
#SBATCH --output=out --error=err
module load python
export T_ALL=all
T_ONE=1 T_TWO="two words" python show.py
T_THREE='$x' T_EMPTY= python show.py
python show.py after
