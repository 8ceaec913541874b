#!/bin/bash
#SBATCH --output=out --error=err
module load python
PY=python3
$PY show.py 1
"$PY" show.py 2
${PY} show.py 3
