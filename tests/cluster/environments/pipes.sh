#!/bin/bash
#SBATCH --output=out --error=err
module load python
printf 'alpha\nbeta\n' | python show.py --in | sed 's/^/> /'
cat data/a.txt | python show.py --in --print=x | python show.py --in second | sort
python show.py --print=e --err 2>&1 | sed 's/e/E/g'
python show.py --print=f --err |& cat
