#!/bin/bash
#SBATCH --output=out --error=err
module load python
python show.py --in < data/a.txt > written.txt
python show.py --print=more >> written.txt 2> errors.txt
> front.txt python show.py --print=front
python show.py --err --print=both &> both.txt
python show.py --print=three 3>&1 1>&2 2>&3 3>&-
cat written.txt front.txt both.txt
