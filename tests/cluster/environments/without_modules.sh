#!/bin/bash
#SBATCH --output=out --error=err
python show.py bare
