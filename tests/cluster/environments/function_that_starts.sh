#!/bin/bash
#SBATCH --output=out --error=err
module load python
run() { echo "runs: $#"; "$@"; }
run python show.py a "b  c"
run echo no program of an image
