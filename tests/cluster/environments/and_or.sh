#!/bin/bash
#SBATCH --output=out --error=err
module load python
python show.py 1 && echo ok || echo no
python show.py 2 --exit=5 && echo ok || echo "no $?"
[ -f show.py ] && python show.py 3
[ -f none ] || python show.py 4; python show.py 5
! python show.py 6; echo "$?"
{ python show.py 7; python show.py 8; } | sort
(cd data && python ../show.py 9)
