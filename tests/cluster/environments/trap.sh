#!/bin/bash
#SBATCH --output=out --error=err
module load python
trap 'python show.py at the end' EXIT
trap "echo ended by \$?" USR1
python show.py first
exit 6
