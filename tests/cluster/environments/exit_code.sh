#!/bin/bash
#SBATCH --output=out --error=err
module load python
python show.py --exit=3
echo "code $?"
python show.py --exit=7 | cat
echo "codes ${PIPESTATUS[*]}"
exit 3
