#!/bin/bash
#SBATCH --output=out --error=err
module load python
for i in 1 2 "3 3"; do
  python show.py "$i"
done
for ((i = 0; i < 2; i++)); do python show.py c$i; done
for f in data/*.txt; do python show.py --in "$f" < "$f"; done
