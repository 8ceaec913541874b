#!/bin/bash
#SBATCH --output=out --error=err
module load python
export T_A=1 PYTHONPATH="$PWD/lib:$PYTHONPATH"
export T_LIST="a:b c" OMP_NUM_THREADS=3
declare -x T_D=d
T_LOCAL=not
python show.py
python -c 'import own; print("own", own.version)'
unset T_A
python show.py
