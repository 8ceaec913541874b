#!/bin/bash
#SBATCH --output=out --error=err
module load python
python -c 'import sys
print("several lines", sys.argv[1:])
' a "b c"
python -c "print('it is', $((40 + 2)))"
echo 'print("from a pipe")' | python
echo 'import sys; print("dash", sys.argv)' | python - x
python -m helper "module run"
