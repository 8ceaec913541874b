#!/bin/bash
#SBATCH --output=out --error=err
python prepare.py 2>/dev/null || python show.py prepare
mdrun -s "a b" | python show.py --in
srun -n 1 mdrun --exit=2 || echo "code $?"
