#!/bin/bash
#SBATCH --output=out --error=err
module load python
n=0
until python show.py --exit=$((n < 2 ? 1 : 0)) $n; do n=$((n + 1)); done
while ! python show.py --exit=$((n > 0)) $n; do n=$((n - 1)); done
echo "n is $n"
