#!/bin/bash
#SBATCH --output=out --error=err
module load python
printf 'a\nb c\n' | xargs -d '\n' python show.py
printf '1 2 3 4' | xargs -n 2 python show.py x
printf '%s\n' p q | xargs -I{} python show.py "<{}>"
find data -name 'a*.txt' -exec python show.py {} \;
find data -name '[ab].txt' | sort | xargs -P 1 -n 1 python show.py
