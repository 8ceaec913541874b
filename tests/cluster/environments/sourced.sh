#!/bin/bash
#SBATCH --output=out --error=err
source env.sh
python show.py a
source ./steps.sh b
