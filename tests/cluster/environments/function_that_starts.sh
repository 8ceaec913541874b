#!/bin/bash
#SBATCH --output=out --error=err
module load python
run() { echo "runs: $#"; "$@"; }
run python show.py a "b  c"
run python show.py --exit=3 || echo "code $?"
