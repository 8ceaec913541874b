#!/bin/bash
#SBATCH --output=out --error=err
set -euo pipefail
module load python
python show.py first
python show.py --exit=5 | cat
echo never
