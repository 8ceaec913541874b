#!/bin/bash
#SBATCH --output=out --error=err
module load python
nosuch 2> /dev/null
echo "code $?"
python nosuch.py 2> /dev/null
echo "code $?"
python show.py end
