#!/bin/bash
#SBATCH --output=out --error=err
module load python
bash -c 'python show.py "$0" "$@"' zero one "two  words"
bash -c "for i in 1 2; do python show.py \$i; done"
sh -c 'T_X=x python show.py | cat'
x=outer; bash -c "python show.py '$x' \"a \\\"b\\\"\""
