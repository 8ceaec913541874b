#!/bin/bash
#SBATCH --output=out --error=err
module load python
python show.py --exit=42
